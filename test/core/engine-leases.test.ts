import { describe, expect, it } from 'vitest';
import type { Call } from '../../src/core/call.js';
import { compareHlc, type Hlc } from '../../src/core/hlc.js';
import { KeyWaits } from '../../src/core/key-waits.js';
import { LEASE_MS, type LeaseAnswer, type LeaseOffice } from '../../src/core/lease.js';
import type { MemoryTier } from '../memory-tier.js';
import type { VirtualClock } from '../virtual-clock.js';
import { sharedLevels, slowSource, startNode } from './cache-under-test.js';

/** The leases of a level in memory: one per key at a time, ended by a set, a delete, release or time. Fills wake nobody. */
class MemoryOffice implements LeaseOffice {
  readonly #level: MemoryTier;
  readonly #clock: VirtualClock;
  readonly #waits: KeyWaits;
  readonly #held = new Map<string, { readonly token: string; readonly untilMs: number }>();
  /** It cannot be asked. */
  out = false;

  constructor(level: MemoryTier, clock: VirtualClock) {
    this.#level = level;
    this.#clock = clock;
    this.#waits = new KeyWaits(clock);
    level.feed().listen((change) => {
      if (change.kind === 'entry') this.#end(change.key);
    });
  }

  async acquire(keys: readonly string[], token: string, since: Hlc, call: Call): Promise<readonly LeaseAnswer[]> {
    return keys.map((key) => this.#acquire(key, token, since, call));
  }

  async renew(keys: readonly string[], token: string): Promise<void> {
    for (const key of keys) if (this.#holder(key) === token) this.#grant(key, token);
  }

  async release(keys: readonly string[], token: string): Promise<void> {
    for (const key of keys) if (this.#holder(key) === token) this.#end(key);
  }

  /** Ends of leases may have gone by unheard. */
  lost(): void {
    this.#waits.wakeAll();
  }

  #acquire(key: string, token: string, since: Hlc, call: Call): LeaseAnswer {
    if (this.out) return { kind: 'unavailable' };
    const entry = this.#level.entries.get(key);
    if (entry !== undefined && entry.kind !== 'tombstone' && compareHlc(entry.fillStart, since) > 0) {
      return { kind: 'filled' };
    }
    const holder = this.#holder(key);
    if (holder !== undefined && holder !== token) {
      return { kind: 'busy', ended: this.#waits.begin(key, call).ended };
    }
    this.#grant(key, token);
    return { kind: 'granted' };
  }

  #grant(key: string, token: string): void {
    this.#held.set(key, { token, untilMs: this.#clock.monotonicMs() + LEASE_MS });
  }

  #holder(key: string): string | undefined {
    const lease = this.#held.get(key);
    return lease !== undefined && this.#clock.monotonicMs() < lease.untilMs ? lease.token : undefined;
  }

  #end(key: string): void {
    this.#held.delete(key);
    this.#waits.wake(key);
  }
}

function startCity(count: number) {
  const shared = sharedLevels();
  const leases = new MemoryOffice(shared.l2, shared.clock);
  const nodes = Array.from({ length: count }, (_, i) => startNode(shared, { origin: i + 1, leases }).cache);
  return { ...shared, leases, nodes };
}

describe('a key that several nodes of a city load', () => {
  it('is loaded once, by who has the lease; the others wait and read what was filled', async () => {
    const { clock, nodes } = startCity(3);
    const { calls, load } = slowSource<string>();
    const all = nodes.map((cache) => cache.getOrLoad('k', load));
    await clock.advanceSettled(100);
    expect(calls).toHaveLength(1);
    calls[0]?.resolve('loaded');
    await clock.advanceSettled(LEASE_MS);
    expect(await Promise.all(all)).toEqual(['loaded', 'loaded', 'loaded']);
    expect(calls).toHaveLength(1);
  });

  it('is loaded once also when those who wait are woken again and again for nothing', async () => {
    const { clock, nodes, leases } = startCity(3);
    const { calls, load } = slowSource<string>();
    const all = nodes.map((cache) => cache.getOrLoad('k', load));
    for (let wakes = 0; wakes < 5; wakes++) {
      await clock.advanceSettled(1);
      leases.lost();
    }
    await clock.advanceSettled(1);
    calls[0]?.resolve('loaded');
    await clock.advanceSettled(LEASE_MS);
    expect(await Promise.all(all)).toEqual(['loaded', 'loaded', 'loaded']);
    expect(calls).toHaveLength(1);
  });

  it('is not loaded again when it was filled between the miss and the wish', async () => {
    const { clock, l2, l3, nodes } = startCity(2);
    let loads = 0;
    const load = () => {
      loads += 1;
      return 'loaded';
    };
    // 1. the second node misses in both levels; the last answer is on its way
    const hold = l3.hold('after read');
    const late = nodes[1]?.getOrLoad('k', load);
    await hold.arrived;
    // 2. the first node loads and fills
    await clock.advanceSettled(1);
    expect(await nodes[0]?.getOrLoad('k', () => 'filled')).toBe('filled');
    await clock.advanceSettled(0);
    expect(l2.entries.get('k')?.kind).toBe('value');
    // 3. the second node wishes to load
    hold.release();
    expect(await late).toBe('filled');
    expect(loads).toBe(0);
    // 4. it counts as what L2 had, and is written nowhere but here: whoever loaded it gives it to every level
    await clock.advanceSettled(0);
    expect(nodes[1]?.stats()).toMatchObject({ loads: 0, levels: { distributed: { hits: 1 } } });
    expect(nodes[1]?.peek('k')).toBe('filled');
    expect([l2, l3].map(({ asked }) => asked.filter((one) => one === 'write k').length)).toEqual([1, 1]);
  });

  it('is loaded by another when the load of the holder fails', async () => {
    const { clock, nodes } = startCity(2);
    const { calls, load } = slowSource<string>();
    const failing = expect(nodes[0]?.getOrLoad('k', load)).rejects.toMatchObject({ code: 'load-failed' });
    await clock.advanceSettled(0);
    const waiting = nodes[1]?.getOrLoad('k', load);
    await clock.advanceSettled(0);
    expect(calls).toHaveLength(1);
    calls[0]?.reject(new Error('out'));
    await failing;
    await clock.advanceSettled(0);
    expect(calls).toHaveLength(2);
    calls[1]?.resolve('loaded');
    expect(await waiting).toBe('loaded');
  });

  it('is held by a load that lasts longer than a lease', async () => {
    const { clock, nodes } = startCity(2);
    const { calls, load } = slowSource<string>();
    const slow = nodes[0]?.getOrLoad('k', load);
    await clock.advanceSettled(LEASE_MS * 1.2);
    const waiting = nodes[1]?.getOrLoad('k', load);
    await clock.advanceSettled(100);
    expect(calls).toHaveLength(1);
    calls[0]?.resolve('loaded');
    await clock.advanceSettled(LEASE_MS);
    expect(await Promise.all([slow, waiting])).toEqual(['loaded', 'loaded']);
  });

  it('is loaded by everybody for himself when the office cannot be asked', async () => {
    const { clock, leases, nodes } = startCity(2);
    leases.out = true;
    const { calls, load } = slowSource<string>();
    const all = nodes.map((cache) => cache.getOrLoad('k', load));
    await clock.advanceSettled(0);
    expect(calls).toHaveLength(2);
    for (const { resolve } of calls) resolve('loaded');
    expect(await Promise.all(all)).toEqual(['loaded', 'loaded']);
  });
});
