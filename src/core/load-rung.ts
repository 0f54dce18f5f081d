import type { LoadCall, LoadOptions } from './cache.js';
import { type Call, deadlineError, remainingMs, waitWithin } from './call.js';
import type { Clock } from './clock.js';
import type { Codec } from './codec.js';
import { durationMs } from './duration.js';
import { type Entry, NO_PAYLOAD } from './entry.js';
import { CacheError, toError } from './errors.js';
import type { Hlc, HybridClock } from './hlc.js';
import { eventTimeMs, type Lifetime, type LifetimeDefaults, newEntry, resolveLifetime } from './lifetime.js';
import { MISS, type Outcome } from './outcome.js';
import type { Tally } from './tally.js';
import type { Rung } from './tier.js';
import { loadedVersion, type Version } from './version.js';

/** Lets a bounded number of loads run at a time; the others wait in order, within their deadlines. */
export interface LoadGate {
  run<T>(call: Call, work: () => Promise<T>): Promise<T>;
}

/** What every load of a cache has in common. */
export interface LoadParts {
  readonly clock: Clock;
  readonly hlc: HybridClock;
  readonly origin: number;
  readonly codec: Codec;
  readonly gate: LoadGate;
  readonly failures: LoadFailures;
  readonly tally: Tally;
  readonly defaults: LifetimeDefaults;
  readonly absentTtlMs: number;
}

/** Values of the keys that the source has, and how the one of a key is to be kept. */
export interface Loader {
  load(keys: readonly string[], call: LoadCall): Promise<ReadonlyMap<string, unknown>>;
  lifetimeOf?(value: unknown, key: string): LoadOptions;
}

/** The source as the last rung: asks a loader once for all keys that no level had. */
export class LoadRung implements Rung {
  readonly level = 'source';
  readonly #parts: LoadParts;
  readonly #loader: Loader;
  readonly #options: LoadOptions;
  readonly #lifetime: Lifetime;
  readonly #absentTtlMs: number;

  /** @throws CacheError for options that are out of range */
  constructor(parts: LoadParts, loader: Loader, options: LoadOptions = {}) {
    this.#parts = parts;
    this.#loader = loader;
    this.#options = options;
    this.#lifetime = resolveLifetime(options, parts.defaults);
    this.#absentTtlMs =
      options.absentTtl === undefined ? parts.absentTtlMs : durationMs(options.absentTtl, 'absentTtl');
  }

  async read(keys: readonly string[], call: Call): Promise<readonly Outcome[]> {
    const { failures, clock } = this.#parts;
    const known = keys.map((key) => failures.recent(key, clock.monotonicMs()));
    const wanted = keys.filter((_, i) => known[i] === undefined);
    const loaded = wanted.length === 0 ? new Map<string, Outcome>() : await this.#load(wanted, call);
    return keys.map((key, i): Outcome => {
      const error = known[i] ?? (loaded instanceof Error ? loaded : undefined);
      return error === undefined ? ((loaded as Map<string, Outcome>).get(key) ?? MISS) : { kind: 'failed', error };
    });
  }

  /** What the source said, as entries; or the error that it, or the wait for it, ended in. */
  async #load(keys: readonly string[], call: Call): Promise<Map<string, Outcome> | Error> {
    const { clock, hlc, gate, failures, tally } = this.#parts;
    const stop = new AbortController();
    const cancel = clock.schedule(remainingMs(clock, call), () => stop.abort(deadlineError('the source')));
    try {
      const work = gate.run(call, async () => {
        // Before the source is asked: whatever is written from here on is newer than what it says.
        const fillStart = hlc.next();
        tally.loads += 1;
        const startedMs = clock.monotonicMs();
        try {
          const values = await this.#loader.load(keys, { signal: stop.signal, remainingMs: remainingMs(clock, call) });
          return this.#outcomes(keys, values, fillStart);
        } finally {
          tally.duration('load', clock.monotonicMs() - startedMs);
        }
      });
      const outcomes = await waitWithin(clock, call, 'the source', work);
      for (const key of keys) failures.forget(key);
      return outcomes;
    } catch (thrown) {
      const error = toError(thrown);
      tally.loadErrors += 1;
      const overloaded = error instanceof CacheError && error.code === 'overloaded';
      if (!overloaded) for (const key of keys) failures.remember(key, error, clock.monotonicMs());
      return error;
    } finally {
      cancel();
    }
  }

  #outcomes(keys: readonly string[], values: ReadonlyMap<string, unknown>, fillStart: Hlc): Map<string, Outcome> {
    if (!(values instanceof Map)) {
      throw new CacheError('load-failed', 'the loader did not return a Map of the keys that exist');
    }
    return new Map(keys.map((key) => [key, this.#toOutcome(key, values.get(key), fillStart)]));
  }

  #toOutcome(key: string, value: unknown, fillStart: Hlc): Outcome {
    const { codec, clock } = this.#parts;
    const wallMs = clock.wallMs();
    if (value === undefined) {
      if (this.#absentTtlMs === 0) return MISS;
      const version = this.#version(undefined, fillStart);
      const lifetime = {
        ttlMs: this.#absentTtlMs,
        staleWhileRevalidateMs: 0,
        staleIfErrorMs: 0,
        tags: this.#lifetime.tags,
      };
      return { kind: 'found', entry: newEntry('absent', NO_PAYLOAD, { version, fillStart }, lifetime, wallMs) };
    }
    try {
      const own = this.#loader.lifetimeOf?.(value, key);
      const lifetime =
        own === undefined ? this.#lifetime : resolveLifetime({ ...this.#options, ...own }, this.#parts.defaults);
      const version = this.#version((own?.eventTimeOf ?? this.#options.eventTimeOf)?.(value), fillStart);
      const entry: Entry = newEntry('value', codec.encode(value), { version, fillStart }, lifetime, wallMs);
      return { kind: 'found', entry };
    } catch (thrown) {
      return { kind: 'failed', error: toError(thrown) };
    }
  }

  /** Data that do not know their own time are as new as the moment at which the source was asked. */
  #version(eventTime: number | Date | undefined, fillStart: Hlc): Version {
    if (eventTime === undefined) return { eventTimeMs: fillStart.ms, hlc: fillStart, origin: this.#parts.origin };
    const { ms, clamped } = eventTimeMs(eventTime, this.#parts.clock.wallMs());
    if (clamped) this.#parts.tally.clampedEventTimes += 1;
    return loadedVersion(ms);
  }
}

/** Most failures that are remembered; beyond it the oldest are forgotten, and their keys may be loaded again. */
const FAILURES_MAX = 10_000;

/** Keys whose load failed a moment ago. Until the moment has passed the failure is the answer, so that a dead source sees one call and not fifty. */
export class LoadFailures {
  readonly #rememberMs: number;
  readonly #failures = new Map<string, { readonly error: Error; readonly untilMs: number }>();

  constructor(rememberMs: number) {
    this.#rememberMs = rememberMs;
  }

  recent(key: string, nowMs: number): Error | undefined {
    const failure = this.#failures.get(key);
    if (failure === undefined) return undefined;
    if (nowMs < failure.untilMs) return failure.error;
    this.#failures.delete(key);
    return undefined;
  }

  remember(key: string, error: Error, nowMs: number): void {
    this.#failures.delete(key);
    this.#failures.set(key, { error, untilMs: nowMs + this.#rememberMs });
    if (this.#failures.size > FAILURES_MAX) {
      const oldest = this.#failures.keys().next();
      if (oldest.done === false) this.#failures.delete(oldest.value);
    }
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }
}
