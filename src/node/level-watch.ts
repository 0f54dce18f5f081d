import type { CacheEvents, LevelState } from '../core/cache.js';
import type { Clock } from '../core/clock.js';
import type { Emitter } from '../core/emitter.js';
import type { Level } from '../core/outcome.js';
import { BREAKER_PROFILE } from '../policy/breaker.js';
import { GuardSet } from '../policy/guard-set.js';

/** How the levels are. */
export interface Health {
  /** Every level answers, in all its parts. */
  readonly ok: boolean;
  readonly levels: readonly LevelHealth[];
}

export interface LevelHealth {
  readonly level: Level;
  readonly state: LevelState;
  /** How many shards or peers it has, this node included. */
  readonly parts: number;
  /** Addresses of the shards or peers that do not answer. */
  readonly out: readonly string[];
}

/** What a level says of its parts: each by its address. */
export type Parts = () => readonly { readonly address: string; readonly ok: boolean }[];

const QUIET_MS = 1_000;

/** Knows which levels answer, from what their parts say and from the breakers around them. */
export class LevelWatch {
  readonly #clock: Clock;
  readonly #events: Emitter<CacheEvents>;
  readonly #guards = new Map<Level, GuardSet>();
  readonly #parts = new Map<Level, Parts>();
  readonly #quietUntilMs = new Map<Level, number>();

  constructor(clock: Clock, events: Emitter<CacheEvents>) {
    this.#clock = clock;
    this.#events = events;
  }

  /**
   * The guards of the parts of a level; that one goes out or is back is told by the `level-changed` event.
   * @param noun what a part is, as errors call it
   * @param maxMs the longest wait for a part
   */
  guard(level: Level, noun: string, maxMs: number): GuardSet {
    const onChange = (part: string, out: boolean, error: Error | undefined) => {
      const detail = out ? `${part} does not answer: ${error?.message ?? 'no reason known'}` : `${part} answers again`;
      this.#events.emit('level-changed', { level, state: this.stateOf(level), detail });
    };
    const guards = new GuardSet({ clock: this.#clock, noun, breaker: BREAKER_PROFILE, maxMs, onChange });
    this.#guards.set(level, guards);
    return guards;
  }

  /** What went wrong behind everybody's back, at most once a second and level. */
  tell(level: Level, error: Error): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < (this.#quietUntilMs.get(level) ?? 0)) return;
    this.#quietUntilMs.set(level, nowMs + QUIET_MS);
    this.#events.emit('level-error', { level, error });
  }

  follow(level: Level, parts: Parts): void {
    this.#parts.set(level, parts);
  }

  stateOf(level: Level): LevelState {
    return this.#healthOf(level).state;
  }

  health(): Health {
    const levels = [...this.#parts.keys()].map((level) => this.#healthOf(level));
    return { ok: levels.every(({ state }) => state === 'ok'), levels };
  }

  #healthOf(level: Level): LevelHealth {
    const parts = this.#parts.get(level)?.() ?? [];
    const broken = this.#guards.get(level)?.out ?? new Set<string>();
    const out = parts.filter(({ address, ok }) => !ok || broken.has(address)).map(({ address }) => address);
    // No part at all: nobody has told yet who they are.
    const isOut = parts.length === out.length;
    return { level, state: isOut ? 'out' : out.length > 0 ? 'degraded' : 'ok', parts: parts.length, out };
  }
}
