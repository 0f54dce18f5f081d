import { type Call, remainingMs, sliceCall } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { toError } from '../core/errors.js';
import type { Hlc } from '../core/hlc.js';
import { type KeyWait, KeyWaits } from '../core/key-waits.js';
import { LEASE_MS, type LeaseAnswer, type LeaseOffice, type LeaseToken } from '../core/lease.js';
import type { LeaseDesk } from './lease-desk.js';
import type { LeaseQuestion, LeaseReply } from './lease-wire.js';
import { REQUEST_MAX_MS } from './limits.js';
import type { Member } from './member.js';
import type { LeaseCounter } from './peer-service.js';
import type { PeerGuard, PeerOwners } from './peer-tier.js';
import type { LeaseOutcome, PeerTransport } from './transport.js';

export interface PeerLeasesParts {
  readonly clock: Clock;
  readonly owners: PeerOwners;
  /** What this node grants itself, as an owner. */
  readonly desk: LeaseDesk;
  readonly transport: Pick<PeerTransport, 'lease'>;
  readonly guard: PeerGuard;
  /** An owner that has not answered by then is taken for out, and the next one is asked. */
  readonly answerMs: number;
  /** Whether a member that is not given up can be asked at an address. */
  isMember(address: string): boolean;
}

type LeaseWish = LeaseQuestion & { readonly verb: 'acquire' };

/** A lease that this node holds, as far as it knows. */
interface Grant {
  readonly token: LeaseToken;
  readonly owner: Member;
  /** Monotonic. */
  readonly untilMs: number;
}

/**
 * What a suspect owner has of that time. It is asked all the same: most suspicions pass, and to go on to the next owner means
 * one more load for the city if the first one has granted a lease.
 */
const SUSPECT_SHARE = 0.2;
/** How many owners of a key are asked, one after the other, until one answers. */
const OWNERS_ASKED = 2;
/** What each of them has, of the time that is left, when they are asked for the last time. */
const LAST_SHARE = 0.5;
/** Timers count in whole ms. */
const TICK_MS = 5;
/** Grants that are remembered, for the sake of those that will not end in a fill. One that is forgotten runs out. */
const GRANTS_MAX = 32_768;

const UNAVAILABLE: LeaseAnswer = Object.freeze({ kind: 'unavailable' });
const NOTED: LeaseReply = Object.freeze({ kind: 'noted' });

/**
 * The leases of a city, kept by the owners of its keys: the first owner that answers grants them, and tells the nodes
 * that wait when one ends. What bounds the source when owners come and go:
 *
 *   1. An owner dies and takes its leases along. Who wishes now is granted one by the next owner: one more load. Who waits
 *      already does so for what the lease had left, and then finds what was filled, or wishes again.
 *   2. Two nodes do not see the same members for a moment, and ask different owners: two loads. The fill is written to all
 *      owners, and ends both leases.
 *   3. No owner answers, which is so for all nodes at a time when it is so for one: they are asked once more, and only
 *      then does each node load for itself.
 *   4. Word of an end is lost: its waiter waits for what the lease had left.
 */
export class PeerLeases implements LeaseOffice, LeaseCounter {
  readonly #parts: PeerLeasesParts;
  readonly #waits: KeyWaits;
  /** In the order in which they run out. */
  readonly #grants = new Map<string, Grant>();
  #closed = false;

  constructor(parts: PeerLeasesParts) {
    this.#parts = parts;
    this.#waits = new KeyWaits(parts.clock);
  }

  async acquire(keys: readonly string[], token: LeaseToken, since: Hlc, call: Call): Promise<readonly LeaseAnswer[]> {
    // Before anybody is asked: the end may be heard of before the answer that there is something to wait for.
    const waits = keys.map((key) => this.#waits.begin(key, call));
    const mayAsk = !this.#closed && remainingMs(this.#parts.clock, call) > 0;
    const replies = mayAsk ? await this.#wish(keys, token, since, call) : [];
    return keys.map((_, at) => this.#toAnswer(replies[at], waits[at] as KeyWait));
  }

  async renew(keys: readonly string[], token: LeaseToken, call: Call): Promise<void> {
    const held = this.#heldBy(keys, token);
    for (const [key, { owner }] of held) this.#remember(key, token, owner);
    await this.#say('renew', held, call);
  }

  async release(keys: readonly string[], token: LeaseToken, call: Call): Promise<void> {
    const held = this.#heldBy(keys, token);
    for (const [key] of held) this.#grants.delete(key);
    await this.#say('release', held, call);
  }

  /** Answers other nodes, as an owner; and hears what other owners tell. */
  answer(question: LeaseQuestion): LeaseReply {
    if (question.verb !== 'ended') return this.#parts.desk.answer(question);
    this.#waits.wake(question.key);
    return NOTED;
  }

  /** Tells nodes that the lease on a key is over; whoever cannot be told waits until it would have run out. */
  tell(addresses: readonly string[], key: string): void {
    const { clock, owners, transport, isMember } = this.#parts;
    const deadlineAtMs = clock.monotonicMs() + REQUEST_MAX_MS;
    for (const address of addresses) {
      if (address === owners.self.address) this.#waits.wake(key);
      // Not to anybody who only says that he is somewhere: what is sent there bears the secret.
      else if (isMember(address)) {
        void transport.lease(address, [{ verb: 'ended', key }], { deadlineAtMs, signal: undefined, reason: 'write' });
      }
    }
  }

  /** Grants nothing any more. */
  close(): void {
    this.#closed = true;
  }

  /** @returns the replies of owners, by key; undefined where none answered */
  async #wish(
    keys: readonly string[],
    token: LeaseToken,
    since: Hlc,
    call: Call,
  ): Promise<readonly (LeaseReply | undefined)[]> {
    const from = this.#parts.owners.self.address;
    const wishes = keys.map((key): LeaseWish => ({ verb: 'acquire', key, token, since, from }));
    const replies = new Array<LeaseReply | undefined>(keys.length).fill(undefined);
    await this.#askInTurn(wishes, replies, call, false);
    // Owners are late for all nodes at a time, and each that goes on without a lease loads.
    if (replies.includes(undefined)) await this.#askInTurn(wishes, replies, call, true);
    return replies;
  }

  /**
   * Asks the owners as they are now for what has no reply yet.
   * @param isLast whoever is taken for slow is asked too, and has its time
   */
  async #askInTurn(
    wishes: readonly LeaseWish[],
    replies: (LeaseReply | undefined)[],
    call: Call,
    isLast: boolean,
  ): Promise<void> {
    const { owners, clock, answerMs } = this.#parts;
    // Once, because who fails to answer may lose its place meanwhile.
    const asked = wishes.map(({ key }) => owners.ownersOf(key));
    for (let nth = 0; nth < OWNERS_ASKED; nth++) {
      const shares = new Map<Member, number[]>();
      replies.forEach((reply, at) => {
        const owner = asked[at]?.[nth];
        if (reply !== undefined || owner === undefined) return;
        const share = shares.get(owner);
        if (share === undefined) shares.set(owner, [at]);
        else share.push(at);
      });
      const all = [...shares].map(async ([owner, places]) => {
        const share = owners.isSuspect(owner.id) ? SUSPECT_SHARE : 1;
        const waitMs = isLast ? Math.min(answerMs, remainingMs(clock, call) * LAST_SHARE) : answerMs * share;
        const questions = places.map((at) => wishes[at] as LeaseWish);
        const outcomes = await this.#ask(owner, questions, sliceCall(clock, call, waitMs), isLast);
        outcomes.forEach((outcome, i) => {
          if (outcome.kind === 'failed' || outcome.kind === 'skipped') return;
          replies[places[i] as number] = outcome;
          const { key, token } = questions[i] as LeaseWish;
          if (outcome.kind === 'granted') this.#remember(key, token, owner);
        });
      });
      await Promise.all(all);
    }
  }

  async #say(verb: 'renew' | 'release', held: readonly (readonly [string, Grant])[], call: Call): Promise<void> {
    const shares = new Map<Member, LeaseQuestion[]>();
    for (const [key, { owner, token }] of held) {
      const share = shares.get(owner) ?? [];
      shares.set(owner, share);
      share.push({ verb, key, token });
    }
    await Promise.all([...shares].map(([owner, questions]) => this.#ask(owner, questions, call)));
  }

  /**
   * Never rejects. When no question was answered, the guard gets to know.
   * @param isUnguarded asks although the guard would not; an answer tells the guard all the same
   */
  async #ask(
    owner: Member,
    questions: readonly LeaseQuestion[],
    call: Call,
    isUnguarded = false,
  ): Promise<readonly LeaseOutcome[]> {
    const { owners, guard, transport, isMember } = this.#parts;
    const { address } = owner;
    if (owner === owners.self) return questions.map((question) => this.answer(question));
    if (!isMember(address)) return [];
    if (isUnguarded) return transport.lease(address, questions, call);
    // Not refused because a read gave up a moment ago, which has waited for what is usual and lost nothing by that: who
    // goes on to the next owner finds no lease there that the first one has granted.
    const patient: Call = { ...call, reason: 'write' };
    try {
      return await guard.run(address, patient, async () => {
        const outcomes = await transport.lease(address, questions, call);
        const [first] = outcomes;
        if (first?.kind === 'failed' && outcomes.every(({ kind }) => kind === 'failed')) throw first.error;
        return outcomes;
      });
    } catch (thrown) {
      const error = toError(thrown);
      return questions.map(() => ({ kind: 'failed', error }));
    }
  }

  #remember(key: string, token: LeaseToken, owner: Member): void {
    const nowMs = this.#parts.clock.monotonicMs();
    this.#grants.delete(key);
    this.#grants.set(key, { token, owner, untilMs: nowMs + LEASE_MS });
    for (const [oldest, { untilMs }] of this.#grants) {
      if (untilMs > nowMs && this.#grants.size <= GRANTS_MAX) return;
      this.#grants.delete(oldest);
    }
  }

  #heldBy(keys: readonly string[], token: LeaseToken): (readonly [string, Grant])[] {
    return keys.flatMap((key) => {
      const grant = this.#grants.get(key);
      return grant?.token === token ? [[key, grant] as const] : [];
    });
  }

  #toAnswer(reply: LeaseReply | undefined, wait: KeyWait): LeaseAnswer {
    if (reply?.kind === 'busy') {
      const cancel = this.#parts.clock.schedule(Math.min(reply.leftMs, LEASE_MS) + TICK_MS, () => wait.cancel());
      void wait.ended.then(cancel);
      return { kind: 'busy', ended: wait.ended };
    }
    wait.cancel();
    if (reply?.kind === 'granted') return reply.occupied ? { kind: 'granted', occupied: true } : { kind: 'granted' };
    return reply?.kind === 'filled' ? { kind: 'filled' } : UNAVAILABLE;
  }
}
