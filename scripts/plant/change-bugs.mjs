/** Bugs of the change feed: how what others write to the database reaches the cache. The form is told in bugs.mjs. */
const feed = 'test/source/change-feed.test.ts';
const outbox = 'test/source/change-outbox.test.ts';
const logical = 'test/source/change-logical.test.ts';
const invalidation = 'test/fleet/change-invalidation.test.ts';
const effects = 'src/fleet/change-effects.test.ts';

export const changeBugs = [
  {
    id: 'outbox-by-id',
    what: 'the outbox is read by what is there, not behind the oldest transaction: one that commits late is skipped',
    file: 'src/source/change-outbox.ts',
    find: ' and c.xid < pg_snapshot_xmin(pg_current_snapshot())',
    replace: '',
    tests: [feed],
    only: 'by an outbox of a transaction that commits after',
    servers: true,
  },
  {
    id: 'outbox-noted-too-soon',
    what: 'the place in the outbox is moved before the invalidations are out',
    file: 'src/source/change-outbox.ts',
    find: '        await this.#parts.target.apply(inOrderOfWriting(rows).map(toChange));',
    replace:
      '        await this.#advance(rows.at(-1) as OutboxRow);\n        await this.#parts.target.apply(inOrderOfWriting(rows).map(toChange));',
    tests: [feed],
    only: 'by an outbox are told again until',
    servers: true,
  },
  {
    id: 'outbox-loss-unseen',
    what: 'what a full outbox did not take is lost without a word',
    file: 'src/source/change-outbox.ts',
    find: 'if (state.lost !== this.#lost) {',
    replace: 'if (state.lost !== state.lost.trim()) {',
    tests: [outbox],
    only: 'full outbox',
    servers: true,
  },
  {
    id: 'outbox-over-once',
    what: 'after a loss floors are raised once, while transactions that were not recorded may still commit',
    file: 'src/source/change-outbox.ts',
    find: 'if (state.isOverDue) await this.#endOverdue();',
    replace: '',
    tests: [outbox],
    only: 'full outbox',
    servers: true,
  },
  {
    id: 'acknowledged-at-once',
    what: 'a change is acknowledged when it comes, before its invalidation is out',
    file: 'src/source/change-logical.ts',
    find: `      await target.apply(batch);
      this.#out += batch.length;`,
    replace: `      this.#out += batch.length;
      this.#report(stream);
      await target.apply(batch);`,
    tests: [feed],
    only: 'by logical replication are told to the next reader',
    servers: true,
  },
  {
    id: 'lag-unbounded',
    what: 'a slot is read on however far behind it is',
    file: 'src/source/change-logical.ts',
    find: 'slot.isLost || slot.lagBytes > this.#parts.lagMaxBytes',
    replace: 'slot.isLost',
    tests: [logical],
    only: 'further behind',
    servers: true,
  },
  {
    id: 'slot-anew-silently',
    what: 'a new slot is begun without floors over what the old one had',
    file: 'src/source/change-logical.ts',
    find: `    await target.startOver();
    counters.startedOver += 1;
    await endStartOver(session, reader);`,
    replace: '    await endStartOver(session, reader);',
    tests: [logical],
    servers: true,
  },
  {
    id: 'floors-due-forgotten',
    what: 'a node that stops before the floors are out leaves no word that they are due',
    file: 'src/source/change-readers.ts',
    find: 'insert into fleetflow_change_readers (reader, transport) values ($1, $2)',
    replace: 'insert into fleetflow_change_readers (reader, transport, start_over) values ($1, $2, false)',
    tests: [logical],
    only: 'before the floors were out',
    servers: true,
  },
  {
    id: 'two-readers',
    what: 'every node of a city reads',
    file: 'src/source/change-readers.ts',
    find: 'return row?.leads === true;',
    replace: 'return row !== undefined;',
    tests: [feed],
    only: 'by an outbox are read by one node',
    servers: true,
  },
  {
    id: 'own-writes-again',
    what: 'what the fleet wrote itself is written to the cache once more when it comes back',
    file: 'src/fleet/change-invalidation.ts',
    find: 'return heard !== undefined && heard >= locationVersion(location);',
    replace: 'return heard !== undefined && heard > locationVersion(location);',
    tests: [invalidation],
  },
  {
    id: 'own-writes-trusted',
    what: 'every position is taken for known: what a node left undone that stopped is left undone',
    file: 'src/fleet/change-invalidation.ts',
    find: 'if (known === undefined || locationVersion(known) < locationVersion(moved.location)) news.push(moved);',
    replace: 'if (known === undefined && locationVersion(moved.location) === undefined) news.push(moved);',
    tests: [invalidation],
  },
  {
    id: 'correction-as-move',
    what: 'a position that was set back is taken for a move',
    file: 'src/fleet/change-effects.ts',
    find: '(before === undefined || isLater)',
    replace: '(before === undefined || isLater || from !== undefined)',
    tests: [effects, invalidation],
  },
  {
    id: 'heard-after-correction',
    what: 'what was heard of a vehicle is gone by after its position was set back',
    file: 'src/fleet/change-invalidation.ts',
    find: 'for (const id of effects.corrected) this.#heard.distrust(id);',
    replace: '',
    tests: [invalidation],
  },
  {
    id: 'lists-after-position',
    what: 'the lists of regions are removed after the position is stored',
    file: 'src/fleet/change-invalidation.ts',
    find: `    await this.#delete(deletedLists);
    for (const some of batchesOf(news, CHUNK)) {`,
    replace: '    for (const some of batchesOf(news, CHUNK)) {',
    tests: [invalidation],
  },
  {
    id: 'floor-kept-here',
    what: 'an invalidation counts as out that only this node has',
    file: 'src/fleet/change-invalidation.ts',
    find: "if (distributed !== 'failed' && distributed !== 'skipped') return result;",
    replace: "if (distributed !== 'failed') return result;",
    tests: [invalidation],
  },
];
