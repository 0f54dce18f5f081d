import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareHlc, HLC_ZERO, type Hlc } from '../core/hlc.js';
import { LEASE_MS } from '../core/lease.js';
import { LeaseTable } from './lease-table.js';

const at = (ms: number): Hlc => ({ ms, counter: 0 });
const wish = (key: string, token: string, from = 'x:1', since = at(5)) => ({ key, token, since, from });
const granted = { kind: 'granted', occupied: false };

function acquire(table: LeaseTable, key: string, token: string, nowMs = 0, from = 'x:1') {
  return table.acquire(wish(key, token, from), undefined, HLC_ZERO, nowMs);
}

/** What a table is to do, kept as simply as can be. */
class Model {
  readonly #most: number;
  readonly leases = new Map<string, { token: string; since: Hlc; untilMs: number; waiting: Set<string> }>();

  constructor(most: number) {
    this.#most = most;
  }

  live(key: string, nowMs: number) {
    const lease = this.leases.get(key);
    return lease !== undefined && nowMs < lease.untilMs ? lease : undefined;
  }

  acquire(key: string, token: string, since: Hlc, from: string, filledAt: Hlc | undefined, nowMs: number): string {
    if (filledAt !== undefined && compareHlc(filledAt, since) > 0) return 'filled';
    const held = this.live(key, nowMs);
    if (held !== undefined && held.token !== token) {
      held.waiting.add(from);
      return 'busy';
    }
    const live = [...this.leases.keys()].filter((one) => this.live(one, nowMs) !== undefined).length;
    if (held === undefined && live >= this.#most) return 'full';
    this.leases.set(key, { token, since, untilMs: nowMs + LEASE_MS - 100, waiting: held?.waiting ?? new Set() });
    return 'granted';
  }
}

const key = fc.constantFrom('k', 'l', 'm');
const token = fc.constantFrom('a', 'b', 'c');
const reading = fc.integer({ min: 1, max: 9 }).map(at);
const from = fc.constantFrom('x:1', 'y:2');
const step = fc.oneof(
  fc.record({ verb: fc.constant('acquire' as const), key, token, since: reading, from, filledAt: fc.option(reading) }),
  fc.record({ verb: fc.constant('renew' as const), key, token }),
  fc.record({ verb: fc.constant('release' as const), key, token }),
  fc.record({ verb: fc.constant('end' as const), key }),
  fc.record({ verb: fc.constant('refused' as const), key, fillStart: reading }),
  fc.record({ verb: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 2_000 }) }),
);

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** A table and its model, to which the same happens. */
class Pair {
  readonly table = new LeaseTable(2);
  readonly #model = new Model(2);
  #nowMs = 0;

  play(one: Step): void {
    switch (one.verb) {
      case 'pass':
        this.#nowMs += one.ms;
        break;
      case 'acquire':
        this.#acquire(one);
        break;
      case 'renew': {
        const live = this.#live(one.key);
        this.table.renew(one.key, one.token, this.#nowMs);
        if (live?.token === one.token) live.untilMs = this.#nowMs + LEASE_MS - 100;
        break;
      }
      case 'release': {
        const isHolder = this.#live(one.key)?.token === one.token;
        this.#expectEnd(one.key, isHolder, this.table.release(one.key, one.token));
        break;
      }
      case 'end':
        this.#expectEnd(one.key, true, this.table.end(one.key));
        break;
      case 'refused': {
        const { since } = this.#live(one.key) ?? { since: at(10) };
        const isOver = compareHlc(one.fillStart, since) >= 0;
        this.#expectEnd(one.key, isOver, this.table.endRefused(one.key, one.fillStart));
        break;
      }
    }
  }

  #acquire(one: Extract<Step, { verb: 'acquire' }>): void {
    const live = this.#live(one.key);
    const filledAt = one.filledAt ?? undefined;
    const expected = this.#model.acquire(one.key, one.token, one.since, one.from, filledAt, this.#nowMs);
    const reply = this.table.acquire(one, filledAt, HLC_ZERO, this.#nowMs);
    expect(reply.kind).toBe(expected);
    if (reply.kind === 'busy') expect(reply.leftMs).toBe((live?.untilMs ?? 0) - this.#nowMs);
    if (reply.kind === 'granted') expect(reply.occupied).toBe(filledAt !== undefined);
  }

  /** An end of a live lease tells all who wait for it; of one that has run out nobody minds who is told. */
  #expectEnd(which: string, isOver: boolean, told: readonly string[]): void {
    const live = this.#live(which);
    if (live === undefined) return;
    expect([...told].sort()).toEqual(isOver ? [...live.waiting].sort() : []);
    if (isOver) this.#model.leases.delete(which);
  }

  #live(which: string) {
    return this.#model.live(which, this.#nowMs);
  }
}

describe('the leases of an owner', () => {
  it('are granted, kept and ended as a model of them says, whatever happens', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const pair = new Pair();
        for (const one of steps) {
          pair.play(one);
          expect(pair.table.size).toBeLessThanOrEqual(2);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('are no more than the table may keep; one that has run out makes room', () => {
    const table = new LeaseTable(1_000);
    for (let i = 0; i < 1_000; i++) expect(acquire(table, `key ${i}`, 'a', i)).toEqual(granted);
    expect(acquire(table, 'one more', 'a', 1_000)).toEqual({ kind: 'full' });
    expect(acquire(table, 'key 0', 'b', 1_000).kind).toBe('busy');
    expect(acquire(table, 'one more', 'a', LEASE_MS)).toEqual(granted);
    expect(table.size).toBeLessThanOrEqual(1_000);
  });

  it('are told of to each node once, and to a bounded number of them', () => {
    const table = new LeaseTable();
    acquire(table, 'k', 'a');
    for (let i = 0; i < 1_000; i++) acquire(table, 'k', `b ${i}`, 0, `x:${i % 500}`);
    const told = table.end('k');
    expect(told).toHaveLength(256);
    expect(new Set(told).size).toBe(256);
    expect(table.end('k')).toEqual([]);
  });

  it('remember who waits when their holder asks again', () => {
    const table = new LeaseTable();
    acquire(table, 'k', 'a');
    acquire(table, 'k', 'b', 0, 'y:2');
    expect(acquire(table, 'k', 'a')).toEqual(granted);
    expect(table.end('k')).toEqual(['y:2']);
  });
});
