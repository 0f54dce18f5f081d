import type { LoadOptions } from './cache.js';
import type { Clock } from './clock.js';
import type { Codec } from './codec.js';
import { durationMs } from './duration.js';
import { type Entry, freshness, NO_PAYLOAD } from './entry.js';
import { toError } from './errors.js';
import type { Floors } from './floors.js';
import { compareHlc, type Hlc } from './hlc.js';
import {
  eventTimeMs,
  type Lifetime,
  type LifetimeDefaults,
  newEntry,
  resolveLifetime,
  versionOfText,
} from './lifetime.js';
import type { Loader } from './loader.js';
import { MISS, type Outcome } from './outcome.js';
import type { Tally } from './tally.js';
import { loadedVersion, type Version } from './version.js';

export interface LoadedEntriesParts {
  readonly clock: Clock;
  readonly origin: number;
  readonly codec: Codec;
  readonly floors: Floors;
  readonly tally: Tally;
  readonly defaults: LifetimeDefaults;
  readonly absentTtlMs: number;
}

/** With an `absentTtl` of 0 a refresh that finds nothing still has to take away what is there. */
const TAKEN_AWAY_MS = 1;

/** Makes entries of what a source said, by the options of one call. */
export class LoadedEntries {
  readonly #parts: LoadedEntriesParts;
  readonly #options: LoadOptions;
  readonly #lifetime: Lifetime;
  readonly #absentTtlMs: number;
  readonly #since: Hlc;

  /**
   * @param since what `filledAfter` says, a reading taken before the call asked anybody
   * @throws CacheError for options that are out of range
   */
  constructor(parts: LoadedEntriesParts, options: LoadOptions, since: Hlc) {
    this.#parts = parts;
    this.#options = options;
    this.#lifetime = resolveLifetime(options, parts.defaults);
    this.#since = since;
    const given = options.absentTtl === undefined ? parts.absentTtlMs : durationMs(options.absentTtl, 'absentTtl');
    this.#absentTtlMs = given === 0 && options.refresh === true ? TAKEN_AWAY_MS : given;
  }

  /** What the source said of a key; undefined for nothing. */
  outcomeOf(key: string, value: unknown, fillStart: Hlc, loader: Loader): Outcome {
    const { codec, clock, origin } = this.#parts;
    const wallMs = clock.wallMs();
    if (value === undefined) {
      if (this.#absentTtlMs === 0) return MISS;
      // Nothing has no time: any data that turn up are newer.
      const version: Version = { eventTimeMs: 0, hlc: fillStart, origin };
      const lifetime = { ...this.#lifetime, ttlMs: this.#absentTtlMs, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 };
      return { kind: 'found', entry: newEntry('absent', NO_PAYLOAD, { version, fillStart }, lifetime, wallMs) };
    }
    try {
      const kept = loader.accept === undefined ? value : loader.accept(value, key);
      const own = loader.lifetimeOf?.(kept, key);
      const lifetime =
        own === undefined ? this.#lifetime : resolveLifetime({ ...this.#options, ...own }, this.#parts.defaults);
      const version = this.#version((own?.eventTimeOf ?? this.#options.eventTimeOf)?.(kept), fillStart);
      const entry: Entry = newEntry('value', codec.encode(kept), { version, fillStart }, lifetime, wallMs);
      return { kind: 'found', entry };
    } catch (thrown) {
      return { kind: 'failed', error: toError(thrown) };
    }
  }

  /** Whether an entry that somebody else filled may be the answer of this load. */
  isNews(key: string, entry: Entry): boolean {
    const { clock, floors } = this.#parts;
    if (entry.kind === 'tombstone' || freshness(entry, clock.wallMs()) !== 'fresh') return false;
    const isLater = this.#options.refresh !== true || compareHlc(entry.fillStart, this.#since) > 0;
    return isLater && floors.passes(key, entry);
  }

  /** Data that do not know their own time are as new as the moment at which the source was asked. */
  #version(eventTime: number | Date | string | undefined, fillStart: Hlc): Version {
    const { origin, clock, tally } = this.#parts;
    if (eventTime === undefined) return { eventTimeMs: fillStart.ms, hlc: fillStart, origin };
    const wallMs = clock.wallMs();
    const { version, clamped } =
      typeof eventTime === 'string' ? versionOfText(eventTime, wallMs) : timedVersion(eventTime, wallMs);
    if (clamped) tally.clampedEventTimes += 1;
    return version;
  }
}

/**
 * The reading later than which an entry must have been filled to be the answer of a load.
 * @param now of the moment of the call
 */
export function filledAfter({ refresh, filledAfter: given }: LoadOptions, now: Hlc): Hlc {
  if (refresh !== true || given === undefined) return now;
  const since: Hlc = { ms: eventTimeMs(given, now.ms, 'filledAfter').ms, counter: 0 };
  return compareHlc(since, now) < 0 ? since : now;
}

function timedVersion(
  eventTime: number | Date,
  wallMs: number,
): { readonly version: Version; readonly clamped: boolean } {
  const { ms, clamped } = eventTimeMs(eventTime, wallMs);
  return { version: loadedVersion(ms), clamped };
}
