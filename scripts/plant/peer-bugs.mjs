/** Bugs of the peers. */
const table = 'src/peer/lease-table.test.ts';
const desk = 'src/peer/lease-desk.test.ts';

export const peerBugs = [
  {
    id: 'peer-lease-outlives-write',
    what: 'an owner does not end a lease when its key is set or deleted',
    file: 'src/peer/lease-desk.ts',
    find: "if (outcome.kind === 'stored') this.#tell",
    replace: "if (outcome.kind === 'stored' && mode === 'fill') this.#tell",
    tests: [desk],
  },
  {
    id: 'peer-lease-outlives-floor',
    what: 'an owner keeps a lease though a floor came upon what its holder loads',
    file: 'src/peer/lease-desk.ts',
    find: 'if (grantedAt !== undefined && !floors.passes(wish.key, { fillStart: grantedAt, tags: NO_TAGS })) {',
    replace: 'if (false) {',
    tests: [desk],
  },
  {
    id: 'peer-lease-to-everybody',
    what: 'an owner grants a lease although somebody else holds it',
    file: 'src/peer/lease-table.ts',
    find: 'if (held !== undefined && held.token !== token) {',
    replace: 'if (false) {',
    tests: [table],
  },
  {
    id: 'peer-lease-filled-unnoticed',
    what: 'an owner grants a lease although the entry was filled since it was missed',
    file: 'src/peer/lease-table.ts',
    find: "if (filledAt !== undefined && compareHlc(filledAt, since) > 0) return { kind: 'filled' };",
    replace: '',
    tests: [table],
  },
  {
    id: 'peer-lease-of-another-released',
    what: 'an owner lets anybody give back a lease',
    file: 'src/peer/lease-table.ts',
    find: 'return this.#leases.get(key)?.token === token ? this.end(key) : NOBODY;',
    replace: 'return this.end(key);',
    tests: [table],
  },
  {
    id: 'peer-lease-end-untold',
    what: 'the nodes that wait are not told when a lease ends',
    file: 'src/peer/peer-leases.ts',
    find: 'else if (isMember(address)) {',
    replace: 'else if (false) {',
    tests: ['test/peer/peer-leases.test.ts'],
    only: 'end with a set',
  },
  {
    id: 'peer-lease-not-asked-for',
    what: 'with Redis out, every node loads for itself',
    file: 'src/core/lease-offices.ts',
    find: 'if (open.length === 0) return answers;',
    replace: 'return answers;',
    tests: ['src/core/lease-offices.test.ts'],
  },
];
