/** Bugs in what the feed means to this process: gaps, leases, doubted copies, flights. The form is told in bugs.mjs. */
const races = 'test/core/engine-races.test.ts';
const life = 'test/core/engine-life.test.ts';
const ladder = 'src/core/ladder.test.ts';

export const feedBugs = [
  {
    id: 'gap-ignored',
    what: 'after a gap memory serves the copies of its partition as before',
    file: 'src/core/feed-intake.ts',
    find: 'local.doubt(lost);',
    replace: '',
    tests: [life],
  },
  {
    id: 'gap-keeps-flights',
    what: 'a gap leaves the flights of its partition armed',
    file: 'src/core/feed-intake.ts',
    find: 'flights.disarmAll(lost === undefined ? undefined : (key) => partitionOf(key) === lost);',
    replace: '',
    tests: [life],
  },
  {
    id: 'change-keeps-flight',
    what: 'a change from elsewhere drops the copy here, but an older answer on its way is kept afterwards',
    file: 'src/core/feed-intake.ts',
    find: '    flights.disarm(key);\n',
    replace: '',
    tests: [races],
  },
  {
    id: 'stamped-after-read',
    what: 'what a flight brings is kept though a write came by since it began',
    file: 'src/core/fills.ts',
    find: '!flight.armed || ',
    replace: '',
    tests: [races],
  },
  {
    id: 'write-keeps-flight',
    what: 'a write does not disarm the flight of its key',
    file: 'src/core/writer.ts',
    find: '      flights.disarm(key);\n      return local.put',
    replace: '      return local.put',
    tests: [races],
  },
  {
    id: 'flight-by-key',
    what: 'a flight that ends removes whichever flight of its key is there',
    file: 'src/core/single-flight.ts',
    find: 'if (this.#flights.get(flight.key) === flight) this.#flights.delete',
    replace: 'if (this.#flights.has(flight.key)) this.#flights.delete',
    tests: ['src/core/single-flight.test.ts'],
  },
  {
    id: 'stand-in-unmarked',
    what: 'a doubted copy that stands in is not marked stale',
    file: 'src/core/ladder.ts',
    find: 'one.settled = true;\n  one.stale = true;',
    replace: 'one.settled = true;',
    tests: [ladder],
  },
  {
    id: 'feed-lease-shortened',
    what: 'an answer to an older probe takes back what a newer one has proved',
    file: 'src/core/feed-lease.ts',
    find: 'if (untilMs > (this.untilMs[partition] as number)) this',
    replace: 'this',
    tests: ['src/core/feed-lease.test.ts'],
  },
  {
    id: 'successor-vouched-for',
    what: 'what the successor of a lost primary says counts before it has been compared',
    file: 'src/redis/redis-tier.ts',
    find: "if (outcome.kind !== 'found' || !this.#options.mayLack(partition)) return outcome;",
    replace: 'if (partition >= 0) return outcome;',
    tests: ['test/redis/lost-history.test.ts'],
  },
  {
    id: 'lacking-not-marked',
    what: 'an answer that may lack what was acknowledged last is served as fresh',
    file: 'src/core/ladder.ts',
    find: 'one.stale = one.unsure || unsure;',
    replace: 'one.stale = one.unsure;',
    tests: [ladder],
  },
];
