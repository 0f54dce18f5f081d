import type { Cache } from '../core/cache.js';
import { type Call, startCall } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { CacheError } from '../core/errors.js';
import { HOUR_MS, istDayStartMs, MINUTE_MS, minuteOf, nextIstTimeMs } from './ist-calendar.js';
import { mornings as keyOfMorning } from './keys.js';
import type { FleetCounters } from './stats.js';
import { pause, restOf } from './waits.js';
import type { WarmUpOptions } from './warm-up.js';

/** Warms up every day before the roads wake. */
export interface Mornings {
  /** From now on, at 05:20 IST, one node of the city warms up for all. */
  start(): void;
  stop(): void;
}

/** Ten minutes before the night is over, so that what is loaded is still fresh when the wave comes. */
const BEGINS = minuteOf('05:20');
const ENDS = minuteOf('05:30');
/** Longest timer: a wall clock that is set meanwhile is noticed after this long. */
const LOOK_MS = HOUR_MS;
/** Whoever has the morning says so anew within this; when he does not, another one takes over. */
const CLAIM_MS = MINUTE_MS;
const RENEW_MS = CLAIM_MS / 3;
/** Until well after the end, so that a node whose clock is behind finds it done. */
const DONE_MS = 12 * HOUR_MS;
const NAME = 'the morning warm-up';

/** Who warms up this morning, as the others find it in the cache. */
interface Claim {
  readonly nodeId: string;
  readonly done: boolean;
}

export interface MorningWarmUpParts {
  readonly cache: Cache;
  readonly clock: Clock;
  readonly counters: FleetCounters;
  readonly warmUp: (options: WarmUpOptions) => Promise<unknown>;
}

/**
 * The schedule of the morning. Each node wakes at the same time of the IST calendar and asks the cache who has the morning: of those
 * who ask first one is granted the load of that entry, and puts its name there. The others look again until it says
 * that it is done; if it dies, its claim runs out, and one of them goes on: what is loaded already is not loaded again.
 */
export class MorningWarmUp implements Mornings {
  readonly #parts: MorningWarmUpParts;
  readonly #nodeId: string;
  #stop = new AbortController();
  #cancelNext: (() => void) | undefined;
  #turn: Promise<void> | undefined;

  constructor(parts: MorningWarmUpParts) {
    this.#parts = parts;
    this.#nodeId = parts.cache.stats().nodeId;
  }

  start(): void {
    if (this.#cancelNext !== undefined) return;
    this.#stop = new AbortController();
    this.#schedule(nextIstTimeMs(this.#parts.clock.wallMs(), BEGINS));
  }

  stop(): void {
    this.#cancelNext?.();
    this.#cancelNext = undefined;
    this.#stop.abort(new CacheError('aborted', `${NAME} was stopped`));
  }

  /** Resolves when none is under way any more. */
  async settle(): Promise<void> {
    await this.#turn;
  }

  #schedule(beginsMs: number): void {
    const { clock } = this.#parts;
    const restMs = beginsMs - clock.wallMs();
    this.#cancelNext = clock.schedule(Math.min(restMs, LOOK_MS), () => {
      const isTime = clock.wallMs() >= beginsMs;
      this.#schedule(nextIstTimeMs(clock.wallMs(), BEGINS));
      if (!isTime) return;
      // What fails is counted where it fails; whoever reads loads for himself, and the next morning comes.
      this.#turn ??= this.#take().then(
        () => this.#ended(),
        () => this.#ended(),
      );
    });
  }

  #ended(): void {
    this.#turn = undefined;
  }

  async #take(): Promise<void> {
    const { cache, clock } = this.#parts;
    const nowMs = clock.wallMs();
    const key = keyOfMorning(istDayStartMs(nowMs));
    const call = startCall(clock, { signal: this.#stop.signal }, nextIstTimeMs(nowMs, ENDS) - nowMs, 'warm-up');
    for (;;) {
      const mine: Claim = { nodeId: this.#nodeId, done: false };
      const claim = await cache.getOrLoad<Claim>(key, () => mine, { ttl: CLAIM_MS, ...restOf(clock, call, NAME) });
      if (claim?.done === true) return;
      if (claim?.nodeId === this.#nodeId) return this.#warmUp(key, call);
      await pause(clock, call, RENEW_MS, NAME);
    }
  }

  async #warmUp(key: string, call: Call): Promise<void> {
    const { cache, clock, counters, warmUp } = this.#parts;
    let renewedAtMs = clock.monotonicMs();
    const say = (done: boolean, ttl: number) => cache.set(key, { nodeId: this.#nodeId, done }, { ttl });
    await warmUp({
      ...restOf(clock, call, NAME),
      onProgress: () => {
        if (clock.monotonicMs() - renewedAtMs < RENEW_MS) return;
        renewedAtMs = clock.monotonicMs();
        // A renewal that fails costs a second node's looking, and nothing is loaded twice.
        void say(false, CLAIM_MS).catch(() => {});
      },
    });
    counters.morningWarmUps += 1;
    await say(true, DONE_MS);
  }
}
