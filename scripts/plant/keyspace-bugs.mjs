/** Bugs of keyspaces: their templates and schemas; caught without servers. The form is told in bugs.mjs. */
const keyspaces = 'test/core/keyspaces.test.ts';

export const keyspaceBugs = [
  {
    id: 'known-asked-twice',
    what: 'a loader that says "not modified" is given what was written while it asked, and dates that as loaded',
    file: 'src/core/load-rung.ts',
    find: 'if (!told.has(key)) {',
    replace: 'if (told.size >= 0) {',
    tests: ['test/core/known-values.test.ts'],
  },
  {
    id: 'id-of-two-segments',
    what: 'an id with a colon shares its key with another id',
    file: 'src/core/key-template.ts',
    find: 'const BREAKING = /[:*?\\\\]/;',
    replace: 'const BREAKING = /[*?\\\\]/;',
    tests: ['src/core/key-template.test.ts', keyspaces],
  },
  {
    id: 'refused-value-kept',
    what: 'what a schema refuses of what the source says is cached all the same',
    file: 'src/core/loaded-entries.ts',
    find: 'loader.accept === undefined ? value : loader.accept(value, key)',
    replace: 'value',
    tests: [keyspaces],
  },
  {
    id: 'refused-value-hammers',
    what: 'the source is asked again at every read for a value that its schema refuses',
    file: 'src/core/load-rung.ts',
    find: "if (outcome.kind === 'failed') failures.remember(",
    replace: "if (outcome.kind === 'skipped') failures.remember(",
    tests: [keyspaces],
  },
  {
    id: 'one-bad-value-fails-all',
    what: 'one value that the schema refuses fails the reading of thousands',
    file: 'src/core/keyspace.ts',
    find: '...(partial && { leavesOut: isRefusal }),',
    replace: '',
    tests: [keyspaces],
  },
  {
    id: 'foreign-value-served',
    what: 'what somebody else wrote wrongly is served',
    file: 'src/core/keyspace.ts',
    find: 'return error === undefined;',
    replace: 'return true;',
    tests: [keyspaces],
  },
  {
    id: 'foreign-value-stays',
    what: 'what somebody else wrote wrongly stays, and its key is loaded at every read',
    file: 'src/core/keyspace.ts',
    find: 'await host.deleteMany(unfit, rest());',
    replace: '',
    tests: [keyspaces],
  },
];
