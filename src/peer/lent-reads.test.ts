import { describe, expect, it } from 'vitest';
import { entry } from '../../test/peer/entries.js';
import { VirtualClock } from '../../test/virtual-clock.js';
import { encodeEntry } from '../core/entry-format.js';
import type { Member } from './member.js';
import { PeerTier, type PeerTierParts } from './peer-tier.js';
import { SlabPeerStore } from './slab-store.js';
import type { PeerTransport } from './transport.js';

const member = (name: string): Member => ({ id: name.padStart(12, '0'), address: `${name}:1`, weight: 1 });
const [self, one, two, three] = ['a', 'b', 'c', 'd'].map(member) as [Member, Member, Member, Member];

interface City {
  readonly owners: readonly Member[];
  /** The owners, and those who held the key before. */
  readonly holders?: readonly Member[];
  readonly suspect?: Member;
  readonly isHot?: boolean;
  readonly isDoubtedHere?: boolean;
}

/** What this node has from reading a key in such a city. */
async function readIn({ owners, holders = owners, suspect, isHot = true, isDoubtedHere = false }: City) {
  const clock = new VirtualClock();
  const store = new SlabPeerStore(clock, 1_048_576);
  if (holders.includes(self)) store.write('k', encodeEntry(entry('it')), 'set');
  const transport: Pick<PeerTransport, 'read'> = {
    read: async (_address, keys) => keys.map(() => ({ kind: 'found', entry: entry('it'), hot: isHot })),
  };
  const parts: PeerTierParts = {
    clock,
    store,
    transport: transport as PeerTransport,
    guard: { run: (_address, _call, work) => work(), heard() {}, forget() {} },
    hot: { note: () => isHot },
    owners: {
      self,
      epoch: '',
      ownersOf: () => owners,
      holdersOf: () => holders,
      isSuspect: (id) => id === suspect?.id,
      isChanging: () => holders.length > owners.length,
      isDoubted: () => isDoubtedHere,
      learned: async () => {},
    },
  };
  const call = { deadlineAtMs: clock.monotonicMs() + 1_000, signal: undefined, reason: 'read' } as const;
  const [outcome] = await new PeerTier(parts).read(['k'], call);
  if (outcome?.kind !== 'found') throw new Error(`there is ${outcome?.kind ?? 'nothing'}`);
  return { hot: outcome.hot === true, lent: outcome.lent === true };
}

describe('what very many ask for is lent by an owner', () => {
  it('when all who hold it are well and stay', async () => {
    expect(await readIn({ owners: [one, two] })).toEqual({ hot: true, lent: true });
  });

  it('and not when few ask for it', async () => {
    expect(await readIn({ owners: [one, two], isHot: false })).toEqual({ hot: false, lent: false });
  });

  it('and not while the members change: others may be written to', async () => {
    expect(await readIn({ owners: [one, two], holders: [one, two, three] })).toEqual({ hot: true, lent: false });
  });

  it('and not while one of the owners is suspect: writes do not wait for it', async () => {
    expect(await readIn({ owners: [one, two], suspect: two })).toEqual({ hot: true, lent: false });
  });

  it('and not while this node, which holds it too, may have missed writes', async () => {
    expect(await readIn({ owners: [self, one], isDoubtedHere: true })).toEqual({ hot: true, lent: false });
  });

  it('and not to an owner: it has it itself', async () => {
    expect(await readIn({ owners: [self, one] })).toEqual({ hot: true, lent: false });
  });
});
