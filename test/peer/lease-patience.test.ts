import { describe, expect, it } from 'vitest';
import type { Call, CallReason } from '../../src/core/call.js';
import { CacheError } from '../../src/core/errors.js';
import { Floors } from '../../src/core/floors.js';
import { HLC_ZERO, HybridClock } from '../../src/core/hlc.js';
import { LEASE_MS } from '../../src/core/lease.js';
import { LeaseDesk } from '../../src/peer/lease-desk.js';
import { LeaseTable } from '../../src/peer/lease-table.js';
import type { LeaseQuestion } from '../../src/peer/lease-wire.js';
import type { Member } from '../../src/peer/member.js';
import { PeerLeases } from '../../src/peer/peer-leases.js';
import { SlabPeerStore } from '../../src/peer/slab-store.js';
import type { LeaseOutcome } from '../../src/peer/transport.js';
import { BREAKER_PROFILE } from '../../src/policy/breaker.js';
import { GuardSet } from '../../src/policy/guard-set.js';
import { VirtualClock } from '../virtual-clock.js';

const ANSWER_MS = 500;
const KEY = 'vehicle:location:1';
const FOREVER = Number.POSITIVE_INFINITY;

function memberOf(nth: number): Member {
  return { id: nth.toString(16).padStart(12, '0'), address: `10.0.0.${nth}:1`, weight: 1 };
}

/** Owners on a clock of their own that stand still for as long as they are told, and nodes that ask them. */
class City {
  readonly clock = new VirtualClock();
  readonly first = memberOf(1);
  readonly second = memberOf(2);
  readonly third = memberOf(3);
  /** Of every key, as all nodes see it. */
  owners: readonly Member[] = [this.first, this.second];
  readonly suspects = new Set<string>();
  readonly #standingUntilMs = new Map<string, number>();
  readonly #desks = new Map<string, LeaseDesk>();
  #nodes = 0;

  /** What is asked of an owner meanwhile is answered when it goes on. */
  stand(owner: Member, forMs: number): void {
    this.#standingUntilMs.set(owner.address, this.clock.monotonicMs() + forMs);
  }

  /** A node that owns nothing. */
  node() {
    this.#nodes += 1;
    const self = memberOf(100 + this.#nodes);
    const { clock } = this;
    const guard = new GuardSet({ clock, noun: 'peer', breaker: BREAKER_PROFILE, maxMs: ANSWER_MS, onChange: () => {} });
    const leases = new PeerLeases({
      clock,
      owners: { self, ownersOf: () => this.owners, isSuspect: (id) => this.suspects.has(id) },
      desk: this.#deskOf(self.address),
      transport: { lease: (address, questions, call) => this.#deliver(address, questions, call) },
      guard,
      answerMs: ANSWER_MS,
      isMember: () => true,
    });
    return {
      guard,
      wish: async () => (await leases.acquire([KEY], self.id, HLC_ZERO, this.call('lease')))[0]?.kind,
    };
  }

  call(reason: CallReason): Call {
    return { deadlineAtMs: this.clock.monotonicMs() + LEASE_MS, signal: undefined, reason };
  }

  /** Reads of an owner have waited for what is usual, in vain: for a moment they do not ask it. */
  async giveUp(guard: GuardSet, { address }: Member): Promise<void> {
    const read = (work: () => Promise<void>) =>
      guard.run(address, this.call('read'), work).catch((thrown: CacheError) => thrown.code);
    await read(async () => {});
    const silent = read(() => new Promise(() => {}));
    await this.clock.advanceSettled(ANSWER_MS - 100);
    expect([await silent, await read(async () => {})]).toEqual(['deadline', 'breaker-open']);
  }

  #deskOf(address: string): LeaseDesk {
    const { clock } = this;
    const desk =
      this.#desks.get(address) ??
      new LeaseDesk({
        clock,
        hlc: new HybridClock(clock),
        floors: new Floors(),
        store: new SlabPeerStore(clock, 1_048_576),
        table: new LeaseTable(),
        tell: () => {},
      });
    this.#desks.set(address, desk);
    return desk;
  }

  /** What was asked arrives, whether somebody still waits for the answer or not. */
  #deliver(address: string, questions: readonly LeaseQuestion[], call: Call): Promise<readonly LeaseOutcome[]> {
    const { clock } = this;
    const nowMs = clock.monotonicMs();
    const desk = this.#deskOf(address);
    return new Promise((resolve) => {
      const error = new CacheError('deadline', `peer ${address} did not answer`);
      clock.schedule(call.deadlineAtMs - nowMs, () => resolve(questions.map(() => ({ kind: 'failed', error }))));
      const untilMs = this.#standingUntilMs.get(address) ?? 0;
      if (untilMs === FOREVER) return;
      clock.schedule(Math.max(1, untilMs - nowMs), () => {
        resolve(questions.map((question) => (question.verb === 'ended' ? { kind: 'noted' } : desk.answer(question))));
      });
    });
  }
}

describe('a node that wishes to load asks', () => {
  it('an owner that reads gave up a moment ago, rather than the next one, who knows of no lease', async () => {
    const city = new City();
    const [a, b] = [city.node(), city.node()];
    await city.giveUp(b.guard, city.first);
    const answers = Promise.all([a.wish(), b.wish()]);
    await city.clock.advanceSettled(10);
    expect(await answers).toEqual(['granted', 'busy']);
  });

  it('the next owner when the first one stands still', async () => {
    const city = new City();
    city.stand(city.first, FOREVER);
    const nodes = [city.node(), city.node()];
    const answers = Promise.all(nodes.map(({ wish }) => wish()));
    await city.clock.advanceSettled(ANSWER_MS + 50);
    expect(await answers).toEqual(['granted', 'busy']);
  });

  it('once more when no owner has answered: owners that are late for all are no leave for all to load', async () => {
    const city = new City();
    city.stand(city.first, 2.5 * ANSWER_MS);
    city.stand(city.second, FOREVER);
    const nodes = [city.node(), city.node(), city.node()];
    const answers = Promise.all(nodes.map(({ wish }) => wish()));
    await city.clock.advanceSettled(LEASE_MS);
    expect(await answers).toEqual(['granted', 'busy', 'busy']);
  });

  it('once more owners that are suspect, and gives them their time then', async () => {
    const city = new City();
    for (const { id } of city.owners) city.suspects.add(id);
    for (const owner of city.owners) city.stand(owner, ANSWER_MS);
    const nodes = [city.node(), city.node()];
    const answers = Promise.all(nodes.map(({ wish }) => wish()));
    await city.clock.advanceSettled(LEASE_MS);
    expect(await answers).toEqual(['granted', 'busy']);
  });

  it('who owns the key by then, when the members have changed meanwhile', async () => {
    const city = new City();
    for (const owner of city.owners) city.stand(owner, FOREVER);
    const nodes = [city.node(), city.node()];
    const answers = Promise.all(nodes.map(({ wish }) => wish()));
    await city.clock.advanceSettled(ANSWER_MS);
    city.owners = [city.third, city.first];
    await city.clock.advanceSettled(LEASE_MS);
    expect(await answers).toEqual(['granted', 'busy']);
  });

  it('nobody for longer than its load allows: it goes on without a lease', async () => {
    const city = new City();
    for (const owner of city.owners) city.stand(owner, FOREVER);
    const answer = city.node().wish();
    await city.clock.advanceSettled(4 * ANSWER_MS + 100);
    expect(await answer).toBe('unavailable');
    expect(city.clock.pending).toBe(0);
  });
});
