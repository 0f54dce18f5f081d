/** Bugs of what owners lend, and of what is kept where nobody tells of writes. The form is told in bugs.mjs. */
const lentTests = 'test/core/engine-lent.test.ts';

export const lentBugs = [
  {
    id: 'lent-from-the-answer-on',
    what: 'what an owner lends is counted from its answer, and not from when it was asked',
    file: 'src/core/ladder.ts',
    find: 'return Math.min(askedAtMs + OWNER_LEASE_MS,',
    replace: 'return Math.min(parts.monotonicMs() + OWNER_LEASE_MS,',
    tests: [lentTests],
  },
  {
    id: 'lent-outlives-write',
    what: 'what an owner lent is served after this node has written the key',
    file: 'src/core/single-flight.ts',
    find: 'this.lent.drop(key);\n    disarmIn(',
    replace: 'disarmIn(',
    tests: [lentTests],
  },
  {
    id: 'lent-outlives-invalidation',
    what: 'what an owner lent is served although a floor came upon it',
    file: 'src/core/reader.ts',
    find: 'return entry !== undefined && floors.passes(key, entry) ? flight : undefined;',
    replace: 'return entry !== undefined ? flight : undefined;',
    tests: [lentTests],
  },
  {
    id: 'lent-outlives-refresh',
    what: 'after a refresh, what an owner lent before is served again',
    file: 'src/core/single-flight.ts',
    find: 'this.lent.drop(flight.key);',
    replace: '',
    tests: [lentTests],
  },
  {
    id: 'loaded-untold',
    what: 'what was loaded is kept in memory before those who know of deletes have taken it',
    file: 'src/core/fills.ts',
    find: 'const isAwaited = untold || unsure;',
    replace: 'const isAwaited = false;',
    tests: [lentTests],
  },
  {
    id: 'late-copy-kept',
    what: 'where nobody tells of writes, a copy that was long on its way is kept as if it had just been asked for',
    file: 'src/core/fills.ts',
    find: 'if (untold === true && clock.monotonicMs() - sinceMs > ON_THE_WAY_MAX_MS) return;',
    replace: '',
    tests: [lentTests],
  },
  {
    id: 'peer-lent-while-changing',
    what: 'an owner lends although the members change or one of them is suspect',
    file: 'src/peer/peer-tier.ts',
    find: 'answer.isLendable = !isChanging && !answer.isPartial;',
    replace: 'answer.isLendable = true;',
    tests: ['src/peer/lent-reads.test.ts'],
  },
  {
    id: 'peer-hot-of-another-epoch',
    what: 'an owner that places by other members is believed that a key is hot',
    file: 'src/peer/http-transport.ts',
    find: 'return { body: reply.body, hot: undefined };',
    replace: 'return reply;',
    tests: ['test/peer/hot-epoch.test.ts'],
  },
];
