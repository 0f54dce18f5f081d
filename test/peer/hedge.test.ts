import { afterEach, expect, it } from 'vitest';
import { HedgeSet } from '../../src/policy/hedge-set.js';
import { entry } from './entries.js';
import { call, startFreezable, startNode, stopNodes, untilAllUp } from './peer-nodes.js';

const stops: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

it('a read is answered by the second owner while the first still holds the question', async () => {
  let won = 0;
  const hedge = new HedgeSet({
    onHedged() {},
    onWon: () => {
      won += 1;
    },
    onRefused() {},
  });
  // The most patient of them: nobody is suspected of anything while this goes on.
  const profile = 'far' as const;
  const reader = await startNode({ hedge, profile });
  const seeds = [reader.peers.address];
  const other = await startNode({ seeds, profile });
  const slow = await startFreezable({ seeds, profile });
  stops.push(
    () => stopNodes([reader, other, slow]),
    () => slow.proxy.close(),
  );
  await untilAllUp([reader, other, slow]);
  const owned = (key: string) => reader.peers.ownersOf(key).map(({ address }) => address);
  const key = Array.from({ length: 1_000 }, (_, i) => `k${i}`).find((one) => {
    return owned(one).join() === `${slow.peers.address},${other.peers.address}`;
  }) as string;
  const [written] = await reader.peers.tier.write([{ key, entry: entry('it'), mode: 'set' }], call());
  expect(written?.kind).toBe('stored');

  slow.proxy.freeze();
  const [outcome] = await reader.peers.tier.read([key], call());
  expect(outcome?.kind).toBe('found');
  // Not because the first had failed: then the second would have been asked in its place, which is no hedge.
  expect(won).toBe(1);
  slow.proxy.thaw();
});
