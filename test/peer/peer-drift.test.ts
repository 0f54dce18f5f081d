import { Agent } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/core/clock.js';
import { type Entry, NO_TAGS } from '../../src/core/entry.js';
import { encodeEntry } from '../../src/core/entry-format.js';
import { HLC_ZERO, type Hlc, HybridClock } from '../../src/core/hlc.js';
import { bucketOf } from '../../src/core/key.js';
import { systemChance, systemClock } from '../../src/node/system-clock.js';
import { DriftError, DriftGate } from '../../src/peer/drift.js';
import { HttpPeerTransport } from '../../src/peer/http-transport.js';
import type { PeersOptions } from '../../src/peer/peers.js';
import { encodeRequest } from '../../src/peer/wire.js';
import { QUESTION } from '../contract/gossip-sample.js';
import { call, type PeerNode, SECRET, startNode, stopNodes, until, untilAllUp } from './peer-nodes.js';
import { signedHeaders } from './signing.js';

const DRIFT_MS = 2_000;

/** What is wrong with what a node sends. */
interface Said {
  readonly wrong?: Partial<Entry>;
  readonly since?: Hlc;
  readonly timeMs?: number;
}

let running: PeerNode[] = [];
const agent = new Agent();

afterEach(async () => {
  await stopNodes(running);
  running = [];
});

/** A node whose clock is off, and what it refuses. */
async function start(
  offMs = 0,
  change: Partial<PeersOptions> = {},
): Promise<PeerNode & { readonly refused: string[] }> {
  const clock = clockOff(offMs);
  const refused: string[] = [];
  const onRefused = (reason: string) => refused.push(reason);
  const node = await startNode({ clock, hlc: new HybridClock(clock), onRefused, ...change });
  running.push(node);
  return { ...node, refused };
}

function clockOff(offMs: number): Clock {
  return { ...systemClock, wallMs: () => Date.now() + offMs };
}

function transportOff(offMs: number): { transport: HttpPeerTransport; refused: string[] } {
  const clock = clockOff(offMs);
  const refused: string[] = [];
  const drift = new DriftGate({ clock, hlc: new HybridClock(clock) });
  const onDrift = (address: string) => refused.push(address);
  return { transport: new HttpPeerTransport({ clock, chance: systemChance, secret: SECRET, drift, onDrift }), refused };
}

/** A reading of a clock that is ahead. */
const ahead = (): Hlc => ({ ms: Date.now() + DRIFT_MS, counter: 0 });

function entry(change: Partial<Entry> = {}): Entry {
  const hlc: Hlc = { ms: Date.now(), counter: 0 };
  return {
    kind: 'value',
    payload: Uint8Array.of(1),
    version: { eventTimeMs: hlc.ms, hlc, origin: 1 },
    fillStart: hlc,
    fence: HLC_ZERO,
    createdAtMs: hlc.ms,
    freshUntilMs: hlc.ms + 60_000,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    tags: NO_TAGS,
    ...change,
  };
}

describe('a node whose clock has drifted', () => {
  it.each([
    ['ahead', DRIFT_MS],
    ['behind', -DRIFT_MS],
  ])('is no member for the others, nor they for it, when it is %s', async (_what, offMs) => {
    const first = await start();
    const second = await start(0, { seeds: [first.peers.address] });
    const drifted = await start(offMs, { seeds: [first.peers.address, second.peers.address] });
    await untilAllUp([first, second]);
    const isRefused = () => [...first.refused, ...drifted.refused].includes('clock-drift');
    await until('it was refused', isRefused);
    expect(drifted.peers.members()).toEqual([]);
    for (const node of [first, second]) expect(node.peers.members()).toHaveLength(1);
  });

  it('is taken in when its clock is right again', async () => {
    const first = await start();
    let offMs = DRIFT_MS;
    const clock: Clock = { ...systemClock, wallMs: () => Date.now() + offMs };
    const second = await start(0, { clock, hlc: new HybridClock(clock), seeds: [first.peers.address] });
    expect(second.peers.members()).toEqual([]);
    offMs = 0;
    await untilAllUp([first, second]);
  });

  it.each<[string, () => Said]>([
    ['a request sent in the future', () => ({ timeMs: Date.now() + DRIFT_MS })],
    ['a set issued in the future', () => ({ wrong: { version: { eventTimeMs: 1, hlc: ahead(), origin: 1 } } })],
    ['a fill started in the future', () => ({ wrong: { fillStart: ahead() } })],
    ['a delete in the future', () => ({ wrong: { fence: ahead() } })],
    [
      'an event that nobody clamped',
      () => ({ wrong: { version: { eventTimeMs: Date.now() + 8_000, hlc: HLC_ZERO, origin: 1 } } }),
    ],
    ['a wish for a lease in the future', () => ({ since: ahead() })],
  ])('is refused as a whole with 403 when it sends %s', async (_what, say) => {
    const node = await start();
    const { wrong = {}, since, timeMs = Date.now() } = say();
    const entries = [entry(), entry(wrong)];
    const body = encodeRequest({
      reads: ['k'],
      writes: entries.map((one, i) => ({ key: `k${i}`, mode: 'set', bytes: encodeEntry(one) })),
      leases: since ? [{ verb: 'acquire', key: 'k', token: 't', since, from: '127.0.0.1:1' }] : [],
    });
    const { address } = node.peers;
    const [method, path, headers] = ['POST', '/internal/cache/batch', { 'x-fleetflow-hops': '1' }] as const;
    const reply = await agent.request({
      origin: `http://${address}`,
      path,
      method,
      headers: signedHeaders({ method, path, address, headers, body, timeMs }),
      body,
    });
    expect(reply.statusCode).toBe(403);
    expect(await reply.body.text()).toMatch(/"code":"clock-drift".*ahead of the clock of the node that refuses it/);
    expect(node.refused).toEqual(['clock-drift']);
    expect(node.peers.store.entries).toBe(0);
  });

  it('is not believed in what it answers, hands over or tells of floors', async () => {
    const node = await start(DRIFT_MS);
    const { address } = node.peers;
    const alike = transportOff(DRIFT_MS);
    const [stored] = await alike.transport.write(
      address,
      [{ key: 'k', mode: 'set', bytes: encodeEntry(entry({ fillStart: ahead() })) }],
      call(),
    );
    expect(stored).toEqual({ kind: 'stored' });
    await node.peers.feed.raise({ scope: 'tag', subject: 't', hlc: ahead() }, call());
    node.floors.raise({ scope: 'tag', subject: 't', hlc: ahead() });

    const { transport, refused } = transportOff(0);
    const [read] = await transport.read(address, ['k'], call());
    expect(read).toEqual({ kind: 'failed', error: expect.any(DriftError) });
    const handover = { epoch: node.peers.epoch(), buckets: [bucketOf('k')] };
    await expect(transport.handover(address, handover, call())).rejects.toThrow(DriftError);
    await expect(transport.floors(address, undefined, call())).rejects.toThrow(DriftError);
    await expect(transport.gossip(address, QUESTION, call())).rejects.toThrow(DriftError);
    expect(refused).toEqual([address, address, address, address]);

    const [known] = await alike.transport.read(address, ['k'], call());
    expect(known?.kind).toBe('found');
    await Promise.all([transport.close(), alike.transport.close()]);
  });
});
