/** Bugs of who is where, and of who is told: cells, gaps, listeners. The form is told in bugs.mjs. */
const nearby = 'test/fleet/nearby.test.ts';
const nearbyNodes = 'test/fleet/nearby-nodes.test.ts';
const subscriptions = 'src/fleet/subscriptions.test.ts';
const subscriptionNodes = 'test/fleet/subscriptions-nodes.test.ts';
const life = 'test/core/engine-life.test.ts';

export const liveBugs = [
  {
    id: 'move-without-cell',
    what: 'a vehicle that moves stays in the cell in which it was',
    file: 'src/fleet/nearby-index.ts',
    find: 'if (cell === spot.cell) return;',
    replace: 'if (cell !== spot.cell || cell === spot.cell) return;',
    tests: [nearby],
  },
  {
    id: 'index-outlives-gap',
    what: 'after a gap the cells are taken to be as complete as before',
    file: 'src/fleet/nearby-index.ts',
    find: '  missed(): void {\n    this.#forgetAll();',
    replace: '  missed(): void {',
    tests: [nearbyNodes],
    servers: true,
  },
  {
    id: 'index-from-stale-list',
    what: 'a list that is served because the database fails begins a cell',
    file: 'src/fleet/nearby-index.ts',
    find: 'if (ids === undefined) return false;',
    replace: 'if (ids === undefined) continue;',
    tests: [nearby],
  },
  {
    id: 'lost-vehicle-forgotten',
    what: 'a vehicle whose position was invalidated is in no cell until it moves',
    file: 'src/fleet/nearby-index.ts',
    find: 'this.#lost.add(id);\n    if',
    replace: 'if',
    tests: [nearby],
  },
  {
    id: 'moves-not-awaited',
    what: 'a question is answered though moves that were heard of have not been read yet',
    file: 'src/fleet/nearby-index.ts',
    find: 'if (settling !== undefined) await settling;',
    replace: '',
    tests: [nearbyNodes],
    servers: true,
  },
  {
    id: 'cell-keeps-list',
    what: 'a vehicle that enters a cell leaves its list in the cache as it is',
    file: 'src/fleet/recording.ts',
    find: 'regions.add(location.region);',
    replace: '',
    tests: [nearby, 'test/fleet/recording.test.ts'],
  },
  {
    id: 'limit-takes-any',
    what: 'of the vehicles nearby any are given, and not the nearest',
    file: 'src/fleet/nearby.ts',
    find: 'if (found.length >= limit) break;',
    replace: 'if (found.length > 0) break;',
    tests: [nearby],
  },
  {
    id: 'change-read-before-heard',
    what: 'a change that was read here before it was heard of is told to nobody',
    file: 'src/core/feed-intake.ts',
    find: 'if (order === 0 && version.origin !== origin) this.#announce(key, version);',
    replace: '',
    tests: [life],
  },
  {
    id: 'gap-told-to-nobody',
    what: 'nobody is told that changes may have gone by unheard',
    file: 'src/core/feed-intake.ts',
    find: "events.emit('changes-missed', { partition: lost });",
    replace: '',
    tests: [life],
  },
  {
    id: 'older-position-told',
    what: 'a listener is told an older position after a newer one',
    file: 'src/fleet/subscriptions.ts',
    find: 'if (previous !== undefined && !isNewerLocation(location, previous)) return;',
    replace: '',
    tests: [subscriptions],
  },
  {
    id: 'overflow-silent',
    what: 'positions for which a slow listener had no room are left out for good',
    file: 'src/fleet/live-subscription.ts',
    find: 'this.isBehind = true;',
    replace: '',
    tests: [subscriptions],
  },
  {
    id: 'gap-not-read-again',
    what: 'after a gap nobody looks who has come into a region',
    file: 'src/fleet/subscriptions.ts',
    find: 'this.#readAgain(READ_SOON_MS);',
    replace: '',
    tests: [subscriptions, subscriptionNodes],
    servers: true,
  },
];
