import { type Call, waitWithin } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import {
  admit,
  afterFailure,
  afterNothing,
  afterSilence,
  afterSuccess,
  BREAKER_CLOSED,
  type BreakerProfile,
  type BreakerState,
} from './breaker.js';
import { Latency } from './latency.js';

export interface GuardSetOptions {
  readonly clock: Clock;
  /** What a part is, as errors call it: `redis`, `peer`. */
  readonly noun: string;
  readonly breaker: BreakerProfile;
  /** The longest wait for a part, in ms. */
  readonly maxMs: number;
  /** Told when a part goes out (with the error that did it) and when it is back. */
  onChange(part: string, out: boolean, error: Error | undefined): void;
}

/** What is known of one part. */
interface Part {
  readonly name: string;
  /** As errors call it. */
  readonly title: string;
  readonly latency: Latency;
  breaker: BreakerState;
  /** When it last answered anybody. */
  answeredAtMs: number;
  /** It has been asked then, and has answered nobody since; undefined while it answers. */
  silentSinceMs: number | undefined;
}

/** How a call came through the breaker: it was closed; to find out; or as a write, while that waits. */
type Pass = 'closed' | 'probe' | 'suspect';

/** Timers end up to a millisecond early, and the wait of a level begins a moment before that of its part. */
const TIE_MS = 5;

/**
 * What stands around the parts of one level (its shards, its peers), made as they are met: a wait that follows from how fast
 * each usually answers, and a breaker.
 *
 * What counts is silence, not slowness: as long as a part answers anybody, those who have waited their time wait on. A wait
 * that ends in silence opens the breaker at once, for the next one would end like it; five failures in a row that come
 * fast do too. The first answer closes it, also one that nobody waits for any more.
 *
 * A read waits for what is usual and goes elsewhere. A write would be queued, and say so to who wrote; without a lease two
 * nodes may load the same: both wait for the maximum. But while a part is silent, a lease would only add its wait to that
 * of the read before it, and is refused like a read; a write waits for the maximum counted from when the silence began.
 */
export class GuardSet {
  readonly #options: GuardSetOptions;
  readonly #parts = new Map<string, Part>();
  readonly #out = new Set<string>();

  constructor(options: GuardSetOptions) {
    this.#options = options;
  }

  /** The parts that are out now. */
  get out(): ReadonlySet<string> {
    return this.#out;
  }

  /** The part is gone for good: a shard that was removed, a peer that left. What is under way there changes nothing. */
  forget(name: string): void {
    this.#parts.delete(name);
    if (this.#out.delete(name)) this.#options.onChange(name, false, undefined);
  }

  /** The part has answered something that did not go through here. */
  heard(name: string): void {
    const part = this.#parts.get(name);
    if (part === undefined) return;
    part.answeredAtMs = this.#options.clock.monotonicMs();
    if (part.silentSinceMs !== undefined) this.#close(part);
  }

  /** A new connection to the part was made: what is held against it was of the old one. */
  connected(name: string): void {
    const part = this.#parts.get(name);
    if (part !== undefined) this.#close(part);
  }

  /**
   * Waits for the work no longer than the part is worth, nor than the call allows.
   * @param keys how many the work asks for
   * @throws CacheError `breaker-open` without asking the part; `deadline` or `aborted`; else what the work throws
   */
  async run<T>(name: string, call: Call, work: () => Promise<T>, keys = 1): Promise<T> {
    const { clock, maxMs } = this.#options;
    const part = this.#partOf(name);
    const startedMs = clock.monotonicMs();
    const pass = this.#admit(part, call, startedMs);
    const usualMs = part.latency.waitMs(maxMs, keys);
    const waitMs = isPatient(call) ? maxMs : usualMs;
    const askedMs = pass === 'suspect' ? (part.silentSinceMs ?? startedMs) : startedMs;
    let asked: Promise<T> | undefined;
    try {
      asked = work();
      const { deadlineAtMs, signal, reason } = call;
      const sliced = { deadlineAtMs: Math.min(deadlineAtMs, askedMs + waitMs), signal, reason };
      const result = await waitWithin(clock, sliced, part.title, asked, () => {
        return Math.min(silentSinceMs(part, askedMs) + waitMs, deadlineAtMs) - clock.monotonicMs();
      });
      this.#answered(part, startedMs);
      return result;
    } catch (thrown) {
      const error = toError(thrown);
      if (isDeadline(error)) {
        // What comes late is an answer all the same, and tells how long the next one may take.
        asked?.then(() => this.#answered(part, startedMs), ignore);
      }
      const sinceMs = silentSinceMs(part, askedMs);
      const isSilent = isDeadline(error) && clock.monotonicMs() - sinceMs >= usualMs - TIE_MS;
      this.#failed(part, pass, error, isSilent ? sinceMs : undefined);
      throw error;
    }
  }

  #partOf(name: string): Part {
    let part = this.#parts.get(name);
    if (part === undefined) {
      const answeredAtMs = Number.NEGATIVE_INFINITY;
      const title = `${this.#options.noun} ${name}`;
      part = { name, title, latency: new Latency(), breaker: BREAKER_CLOSED, answeredAtMs, silentSinceMs: undefined };
      this.#parts.set(name, part);
    }
    return part;
  }

  /** @throws CacheError `breaker-open` */
  #admit(part: Part, call: Call, nowMs: number): Pass {
    if (part.breaker.kind === 'closed') return 'closed';
    if (call.reason === 'write' && this.#isSuspect(part, nowMs)) return 'suspect';
    const { pass, state } = admit(part.breaker, nowMs);
    part.breaker = state;
    if (pass) return 'probe';
    const { noun } = this.#options;
    throw new CacheError(
      'breaker-open',
      `${noun} ${part.name} is not asked for a moment: it did not answer, or failed`,
    );
  }

  /** Whether it has been silent, but not for as long as a write waits. */
  #isSuspect({ silentSinceMs }: Part, nowMs: number): boolean {
    return silentSinceMs !== undefined && nowMs - silentSinceMs < this.#options.maxMs - TIE_MS;
  }

  #answered(part: Part, startedMs: number): void {
    const { clock, maxMs } = this.#options;
    const nowMs = clock.monotonicMs();
    part.answeredAtMs = nowMs;
    part.latency.note(Math.min(nowMs - startedMs, maxMs));
    if (part.breaker !== BREAKER_CLOSED) this.#close(part);
  }

  #close(part: Part): void {
    part.breaker = afterSuccess();
    part.silentSinceMs = undefined;
    this.#tell(part, undefined);
  }

  #failed(part: Part, pass: Pass, error: Error, silentSinceMs: number | undefined): void {
    // A call from before it opened says nothing that its opening did not, and must not end the probe of another.
    if (part.breaker.kind === 'half-open' && pass !== 'probe') return;
    const { clock, breaker } = this.#options;
    const nowMs = clock.monotonicMs();
    if (silentSinceMs !== undefined) {
      part.silentSinceMs ??= silentSinceMs;
      part.breaker = afterSilence(part.breaker, nowMs, breaker);
    } else if (isFault(error)) part.breaker = afterFailure(part.breaker, nowMs, breaker);
    else part.breaker = afterNothing(part.breaker, nowMs);
    this.#tell(part, error);
  }

  /** A part that is merely suspect is not out: writes still wait for it. */
  #tell(part: Part, error: Error | undefined): void {
    const { clock, onChange } = this.#options;
    const { name, breaker } = part;
    if (this.#parts.get(name) !== part) return;
    if (breaker.kind === 'closed') {
      if (this.#out.delete(name)) onChange(name, false, undefined);
    } else if (!this.#out.has(name) && !this.#isSuspect(part, clock.monotonicMs())) {
      this.#out.add(name);
      onChange(name, true, error);
    }
  }
}

/** Since when a part has answered nobody, for a call that began to wait at `askedMs`. */
function silentSinceMs({ answeredAtMs }: Part, askedMs: number): number {
  return Math.max(askedMs, answeredAtMs);
}

/** Whether it costs more to go without than to wait (a write is queued, two nodes load the same), or nobody waits. */
function isPatient({ reason }: Call): boolean {
  return reason === 'write' || reason === 'lease' || reason === 'probe';
}

function isDeadline(error: Error): boolean {
  return error instanceof CacheError && error.code === 'deadline';
}

/** Errors that say something about who asked, or what for, and nothing about the part that was asked. */
const NO_FAULTS: ReadonlySet<string> = new Set(['aborted', 'deadline', 'overloaded', 'corrupt-entry']);

function isFault(error: Error): boolean {
  return !(error instanceof CacheError && NO_FAULTS.has(error.code));
}

function ignore(): void {}
