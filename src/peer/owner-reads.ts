import type { Call } from '../core/call.js';
import type { Cancel, Clock } from '../core/clock.js';
import type { KeyRead, Open } from './key-read.js';
import type { Member } from './member.js';
import type { PeerRead, TakeRead } from './transport.js';

/** Says when a second owner is asked for what a first one has not answered. */
export interface PeerHedge {
  /** So many keys are asked of a peer. @returns how long to wait before another one is asked too, in ms */
  delayMs(address: string, keys: number): number;
  /** @returns for how many of `keys` another owner may be asked now, after that many ms */
  grant(keys: number, waitedMs: number): number;
  /** The second one was the first to have it, that long after the first was asked. */
  won(tookMs: number): void;
  /** A peer took so long to answer, or longer: it was given up then. */
  note(address: string, tookMs: number): void;
  /** The peer left. */
  forget(address: string): void;
}

export interface OwnerReadsParts {
  readonly clock: Clock;
  readonly hedge: PeerHedge;
  /** Never rejects; an answer for each key, those that come early told before. */
  readonly ask: (member: Member, keys: readonly string[], call: Call, take: TakeRead) => Promise<readonly PeerRead[]>;
}

const NOTHING: Cancel = () => {};

/**
 * Reads keys from those who hold them, without asking everybody for everything. The first owner of each key is asked. The
 * others are asked too
 * 1. at once, if what it says does not settle it: it has nothing, it doubts what it has, it could not be asked;
 * 2. one of them, if it takes longer than it usually does and the budget allows that: the first that has it is the
 *    answer, and the other is given up.
 *
 * That is no less coherent than asking all at once: an answer of a single owner that is sure has always been enough, for what
 * is written is acknowledged by all of them; and a miss is one only if all have answered.
 *
 * Keys are asked for together and answered one by one: each ends as soon as it is found, or all who hold it have
 * answered.
 */
export class OwnerReads {
  readonly #parts: OwnerReadsParts;
  readonly #call: Call;
  /** What the answers that are just coming in did not settle. */
  #unsettled: KeyRead[] = [];

  constructor(parts: OwnerReadsParts, call: Call) {
    this.#parts = parts;
    this.#call = call;
  }

  /** @param reads each with others to ask */
  ask(reads: readonly KeyRead[]): void {
    this.#askNext(reads, undefined);
  }

  /** Asks the next member for each key; all that are left, where they are needed. */
  #askNext(reads: readonly KeyRead[], hedgedAtMs: number | undefined): void {
    const byMember = new Map<Member, KeyRead[]>();
    for (const one of reads) {
      if (one.isOver) continue;
      const { others, atOnce } = one;
      const isFirst = one.asked === 0;
      const end = (isFirst && !atOnce) || hedgedAtMs !== undefined ? one.asked + 1 : others.length;
      for (; one.asked < end; one.asked++) {
        const member = others[one.asked] as Member;
        const together = byMember.get(member);
        if (together === undefined) byMember.set(member, [one]);
        else together.push(one);
      }
    }
    for (const [member, together] of byMember) this.#send(member, together, hedgedAtMs);
  }

  #send(member: Member, reads: KeyRead[], hedgedAtMs: number | undefined): void {
    const { clock, hedge, ask } = this.#parts;
    const hasOthers = reads.some(({ asked, others }) => asked < others.length);
    // Who is the only one to be asked is never given up.
    const abort = hasOthers || hedgedAtMs !== undefined ? new AbortController() : undefined;
    const share = new Share(this.#parts, member, reads, hedgedAtMs, abort);
    if (hasOthers) {
      share.cancelHedge = clock.schedule(hedge.delayMs(member.address, reads.length), () => this.#hedge(share));
    }
    const keys: string[] = [];
    for (const one of reads) {
      one.open.push(share);
      keys.push(one.key);
    }
    const take: TakeRead = (at, read) => this.#take(share, at, read);
    void ask(member, keys, withSignal(this.#call, abort), take).then((answers) => {
      for (let at = 0; at < answers.length; at++) this.#take(share, at, answers[at] as PeerRead);
      share.end();
    });
  }

  #take(share: Share, at: number, read: PeerRead): void {
    const one = share.answered(at, isAnswer(read));
    if (one === undefined || one.isOver) return;
    one.answer.take(read);
    if (one.answer.isFound) {
      share.won();
      one.end();
    } else if (one.asked < one.others.length) this.#askAgain(one);
    else if (one.open.length === 0) one.end();
  }

  /** When all that has come with it is taken: what is not settled is asked for together again. */
  #askAgain(one: KeyRead): void {
    if (this.#unsettled.push(one) > 1) return;
    queueMicrotask(() => {
      const unsettled = this.#unsettled;
      this.#unsettled = [];
      this.#askNext(unsettled, undefined);
    });
  }

  #hedge(share: Share): void {
    const late = share.unanswered.filter(({ isOver, asked, others }) => !isOver && asked < others.length);
    if (late.length === 0) return;
    const { hedge, clock } = this.#parts;
    const granted = hedge.grant(late.length, clock.monotonicMs() - share.sentAtMs);
    this.#askNext(late.slice(0, granted), share.sentAtMs);
  }
}

/** What one member is asked together. */
class Share implements Open {
  readonly sentAtMs: number;
  cancelHedge: Cancel = NOTHING;
  readonly #parts: OwnerReadsParts;
  readonly #member: Member;
  /** Undefined once it is answered. */
  readonly #reads: (KeyRead | undefined)[];
  /** When the first of these keys was asked of anybody, when this is the second asking; else undefined. */
  readonly #hedgedAtMs: number | undefined;
  readonly #abort: AbortController | undefined;
  #unanswered: number;
  /** Of those, how many somebody waits for. */
  #waiting: number;
  #hasAnswered = false;
  #hasWon = false;

  constructor(
    parts: OwnerReadsParts,
    member: Member,
    reads: KeyRead[],
    hedgedAtMs: number | undefined,
    abort: AbortController | undefined,
  ) {
    this.sentAtMs = parts.clock.monotonicMs();
    this.#parts = parts;
    this.#member = member;
    this.#reads = reads;
    this.#hedgedAtMs = hedgedAtMs;
    this.#abort = abort;
    this.#unanswered = reads.length;
    this.#waiting = reads.length;
  }

  get unanswered(): readonly KeyRead[] {
    return this.#reads.filter((one) => one !== undefined);
  }

  /** @returns the key at that place; undefined when that was answered before, or the member was given up */
  answered(at: number, isAnswer: boolean): KeyRead | undefined {
    const one = this.#reads[at];
    if (one === undefined || this.#abort?.signal.aborted === true) return undefined;
    this.#reads[at] = undefined;
    this.#unanswered -= 1;
    this.#hasAnswered ||= isAnswer;
    if (one.isOver) return undefined;
    remove(one.open, this);
    this.drop();
    return one;
  }

  /** Nobody waits for one of its keys any more. Whoever is asked for nothing else is given up. */
  drop(): void {
    this.#waiting -= 1;
    if (this.#waiting > 0 || this.#unanswered === 0 || this.#abort === undefined) return;
    this.cancelHedge();
    this.#note();
    this.#abort.abort();
  }

  /** One of its keys is found, and by it. */
  won(): void {
    if (this.#hedgedAtMs === undefined || this.#hasWon) return;
    this.#hasWon = true;
    const { clock, hedge } = this.#parts;
    hedge.won(clock.monotonicMs() - this.#hedgedAtMs);
  }

  /** All is answered, unless it was given up. */
  end(): void {
    if (this.#abort?.signal.aborted === true) return;
    this.cancelHedge();
    if (this.#hasAnswered) this.#note();
  }

  #note(): void {
    const { clock, hedge } = this.#parts;
    hedge.note(this.#member.address, clock.monotonicMs() - this.sentAtMs);
  }
}

function remove(open: Open[], share: Open): void {
  if (open.length === 1) open.pop();
  else open.splice(open.indexOf(share), 1);
}

/** Who could not be asked at all says nothing about how long answers take. */
function isAnswer({ kind }: PeerRead): boolean {
  return kind !== 'failed' && kind !== 'skipped';
}

function withSignal(call: Call, abort: AbortController | undefined): Call {
  if (abort === undefined) return call;
  const signal = call.signal === undefined ? abort.signal : AbortSignal.any([call.signal, abort.signal]);
  return { ...call, signal };
}
