import type { Call } from '../core/call.js';
import type { Cancel, Clock } from '../core/clock.js';
import type { Member } from './member.js';
import type { PeerRead } from './transport.js';

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

/** Collects what is said of one key. */
export interface Answer {
  take(read: PeerRead): void;
  /** Somebody has it who is sure of it. */
  readonly isFound: boolean;
}

/** One key and whom it may be asked of. */
export interface Question {
  readonly key: string;
  readonly answer: Answer;
  /** In the order in which they are to be asked; at least one. */
  readonly others: readonly Member[];
  /** All of them are needed: what is here is doubted, or the members are changing. */
  readonly atOnce: boolean;
}

export interface OwnerReadsParts {
  readonly clock: Clock;
  readonly hedge: PeerHedge;
  /** Never rejects; an answer for each key. */
  readonly ask: (member: Member, keys: readonly string[], call: Call) => Promise<readonly PeerRead[]>;
}

/** How far the asking for one key has come. */
interface Asking {
  readonly question: Question;
  /** How many of the others were asked. */
  asked: number;
  /** How many of those have not answered; -1 when nobody waits for it any more. */
  open: number;
  readonly shares: Share[];
}

/** What one member is asked together. */
interface Share {
  readonly member: Member;
  readonly askings: readonly Asking[];
  readonly sentAtMs: number;
  /** When the first of these keys was asked of anybody, when this is the second asking; else undefined. */
  readonly hedgedAtMs: number | undefined;
  readonly abort: AbortController | undefined;
  cancelHedge: Cancel;
  /** Keys that somebody waits for; none once it has answered. */
  waiting: number;
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
 */
export class OwnerReads {
  readonly #parts: OwnerReadsParts;
  readonly #call: Call;
  readonly #askings: readonly Asking[];
  #open: number;
  #resolve: () => void = () => {};

  constructor(parts: OwnerReadsParts, questions: readonly Question[], call: Call) {
    this.#parts = parts;
    this.#call = call;
    this.#askings = questions.map((question) => ({ question, asked: 0, open: 0, shares: [] }));
    this.#open = questions.length;
  }

  /** Resolves when every key is found, or all who hold it have answered. Never rejects. */
  run(): Promise<void> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#askNext(this.#askings, undefined);
    });
  }

  /** Asks the next member for each key; all that are left, where they are needed. */
  #askNext(askings: readonly Asking[], hedgedAtMs: number | undefined): void {
    const byMember = new Map<Member, Asking[]>();
    for (const asking of askings) {
      const { others, atOnce } = asking.question;
      const isFirst = asking.asked === 0;
      const end = (isFirst && !atOnce) || hedgedAtMs !== undefined ? asking.asked + 1 : others.length;
      for (const member of others.slice(asking.asked, end)) {
        const together = byMember.get(member);
        if (together === undefined) byMember.set(member, [asking]);
        else together.push(asking);
        asking.open += 1;
      }
      asking.asked = end;
    }
    for (const [member, together] of byMember) this.#send(member, together, hedgedAtMs);
  }

  #send(member: Member, askings: readonly Asking[], hedgedAtMs: number | undefined): void {
    const { clock, hedge, ask } = this.#parts;
    const sentAtMs = clock.monotonicMs();
    const hasOthers = askings.some((asking) => asking.asked < asking.question.others.length);
    // Who is the only one to be asked is never given up.
    const abort = hasOthers || hedgedAtMs !== undefined ? new AbortController() : undefined;
    const share: Share = {
      member,
      askings,
      sentAtMs,
      hedgedAtMs,
      abort,
      cancelHedge: NOTHING,
      waiting: askings.length,
    };
    if (hasOthers) {
      const delayMs = hedge.delayMs(member.address, askings.length);
      share.cancelHedge = clock.schedule(delayMs, () => this.#hedge(share));
    }
    for (const { shares } of askings) shares.push(share);
    const keys = askings.map(({ question }) => question.key);
    void ask(member, keys, withSignal(this.#call, abort)).then((reads) => this.#take(share, reads));
  }

  #take(share: Share, reads: readonly PeerRead[]): void {
    const { hedge, clock } = this.#parts;
    if (share.abort?.signal.aborted === true) return;
    share.cancelHedge();
    share.waiting = 0;
    const nowMs = clock.monotonicMs();
    if (reads.some(isAnswer)) hedge.note(share.member.address, nowMs - share.sentAtMs);
    const unsettled: Asking[] = [];
    let won = false;
    share.askings.forEach((asking, i) => {
      const { answer, others } = asking.question;
      if (isDone(asking)) return;
      asking.open -= 1;
      answer.take(reads[i] as PeerRead);
      if (answer.isFound) {
        won ||= share.hedgedAtMs !== undefined;
        this.#done(asking);
      } else if (asking.asked < others.length) unsettled.push(asking);
      else if (asking.open === 0) this.#done(asking);
    });
    if (won && share.hedgedAtMs !== undefined) hedge.won(nowMs - share.hedgedAtMs);
    this.#askNext(unsettled, undefined);
    if (this.#open === 0) this.#resolve();
  }

  /** Nobody waits for this key any more; whoever is asked for nothing else is given up. */
  #done(asking: Asking): void {
    const { hedge, clock } = this.#parts;
    asking.open = -1;
    this.#open -= 1;
    for (const share of asking.shares) {
      if (share.waiting === 0) continue;
      share.waiting -= 1;
      if (share.waiting > 0 || share.abort === undefined) continue;
      share.cancelHedge();
      hedge.note(share.member.address, clock.monotonicMs() - share.sentAtMs);
      share.abort.abort();
    }
  }

  #hedge(share: Share): void {
    const late = share.askings.filter((asking) => !isDone(asking) && asking.asked < asking.question.others.length);
    if (late.length === 0) return;
    const { hedge, clock } = this.#parts;
    const granted = hedge.grant(late.length, clock.monotonicMs() - share.sentAtMs);
    this.#askNext(late.slice(0, granted), share.sentAtMs);
  }
}

function isDone({ open }: Asking): boolean {
  return open < 0;
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
