import type { CacheEvents, SetOptions, WriteResult, WriteStatus } from './cache.js';
import type { Call } from './call.js';
import type { Clock } from './clock.js';
import type { Codec } from './codec.js';
import type { Emitter } from './emitter.js';
import { type Entry, NO_PAYLOAD, tombstone } from './entry.js';
import { CacheError } from './errors.js';
import type { Feed } from './feed.js';
import { concernedBy, type Floor, type Floors } from './floors.js';
import { compareHlc, type HybridClock } from './hlc.js';
import { checkKey } from './key.js';
import { errorType } from './ladder.js';
import {
  eventTimeMs,
  type Lifetime,
  type LifetimeDefaults,
  newEntry,
  resolveLifetime,
  versionOfText,
} from './lifetime.js';
import type { LocalTier } from './local.js';
import type { Level, WriteOutcome } from './outcome.js';
import type { RecoveryQueue } from './recovery.js';
import type { SingleFlight } from './single-flight.js';
import type { Tally } from './tally.js';
import type { Tier, Write } from './tier.js';
import { compareVersions, encodeVersion, VERSION_ZERO, type Version } from './version.js';

export interface WriterParts {
  readonly city: string;
  readonly origin: number;
  readonly clock: Clock;
  readonly hlc: HybridClock;
  readonly codec: Codec;
  readonly floors: Floors;
  readonly local: LocalTier;
  readonly tiers: readonly Tier[];
  readonly feeds: readonly LevelFeed[];
  /** For levels that others read: what each missed while it, or a part of it, did not answer. */
  readonly recoveries: ReadonlyMap<Level, RecoveryQueue>;
  readonly flights: Pick<SingleFlight<unknown>, 'disarm' | 'disarmAll'>;
  readonly tally: Tally;
  readonly events: Emitter<CacheEvents>;
  readonly defaults: LifetimeDefaults;
  /** How long a tombstone is kept: longer than anything that could bring the value back. */
  readonly tombstoneMs: number;
}

/** Writes that only this process hears of are timed once in so many: reading the clock is a good part of them. */
const SAMPLE_EVERY = 64;

/** The feed of a level. */
export interface LevelFeed {
  readonly level: Level;
  readonly feed: Feed;
}

/**
 * Sets, deletes and invalidations. The order is always the same: check everything, take the version, tell this
 * process (flights, L1), then every other level at once. A level that is down makes none of them reject.
 */
export class Writer {
  /** Nobody has to be told but this process. */
  readonly isAlone: boolean;
  readonly #parts: WriterParts;
  readonly #lifetime: Lifetime;
  #untilSample = SAMPLE_EVERY;

  constructor(parts: WriterParts) {
    this.#parts = parts;
    this.isAlone = parts.tiers.length === 0;
    this.#lifetime = resolveLifetime(undefined, parts.defaults);
  }

  /**
   * What a set is to write.
   * @param given a version that is not to be made here: a time, or the text of a version
   * @throws CacheError for a bad key, value, option or version
   */
  prepareSet(key: string, value: unknown, options: SetOptions | undefined, given?: number | string): Write {
    const { codec } = this.#parts;
    checkKey(key);
    const copy = this.isAlone ? codec.copy(value) : undefined;
    const payload = copy === undefined ? codec.encode(value) : NO_PAYLOAD;
    return { key, entry: this.#newEntry(payload, options, given), mode: 'set', copy };
  }

  #newEntry(payload: Uint8Array, options: SetOptions | undefined, given: number | string | undefined): Entry {
    const { clock, hlc, defaults } = this.#parts;
    const lifetime = options === undefined ? this.#lifetime : resolveLifetime(options, defaults);
    const wallMs = clock.wallMs();
    const time = given ?? options?.eventTime;
    const fixed = typeof time === 'string' ? this.#givenVersion(time, wallMs) : undefined;
    const event =
      time === undefined || typeof time === 'string'
        ? undefined
        : this.#eventTimeMs(time, wallMs, given === undefined ? 'eventTime' : 'version');
    const issued = hlc.next(wallMs);
    const version = fixed ?? { eventTimeMs: event ?? issued.ms, hlc: issued, origin: this.#parts.origin };
    const order = { version, fillStart: hlc.early(Number.POSITIVE_INFINITY, wallMs) };
    return newEntry('value', payload, order, lifetime, wallMs);
  }

  /** @throws CacheError `invalid-key` */
  prepareDelete(key: string): Write {
    const { clock, hlc, local, tombstoneMs } = this.#parts;
    checkKey(key);
    const known = local.find(key)?.entry.version ?? VERSION_ZERO;
    return { key, entry: tombstone(hlc.late(), known, clock.wallMs(), tombstoneMs), mode: 'set' };
  }

  /** As `write`, of one, where nobody has to be told but this process: at once. */
  writeHere(write: Write): WriteResult {
    if (--this.#untilSample > 0) return this.#putHere(write);
    const { clock, tally } = this.#parts;
    this.#untilSample = SAMPLE_EVERY;
    const startedMs = clock.monotonicMs();
    const result = this.#putHere(write);
    tally.duration('set:local', clock.monotonicMs() - startedMs);
    return result;
  }

  #putHere(write: Write): WriteResult {
    const { local, flights, origin, city } = this.#parts;
    flights.disarm(write.key);
    const { kind } = local.put(write.key, write.entry, write.mode, write.copy);
    this.#announce(write);
    const version = versionText(write.entry, origin);
    return { version, token: `${city}.${version}`, local: kind, distributed: 'none', peer: 'none', errors: NO_ERRORS };
  }

  /** As `write`, of one. */
  async writeOne(write: Write, call: Call): Promise<WriteResult> {
    const [result] = await this.write([write], call);
    return result as WriteResult;
  }

  /** Writes to every level; one result per write, in order. */
  async write(writes: readonly Write[], call: Call): Promise<WriteResult[]> {
    if (this.isAlone) return writes.map((write) => this.writeHere(write));
    const { clock, tally } = this.#parts;
    const startedMs = clock.monotonicMs();
    const outcomes = await this.#writeOnce(writes, call);
    const refused = writes.map((_, i) => i).filter((i) => isFenced(writes[i] as Write, outcomes[i] as LevelOutcome[]));
    if (refused.length > 0) await this.#issueAgain(refused, writes, outcomes, call);
    tally.duration('set', clock.monotonicMs() - startedMs);
    return writes.map((write, i) => {
      this.#announce(write);
      return this.#result(versionText(write.entry, this.#parts.origin), outcomes[i] as LevelOutcome[]);
    });
  }

  /**
   * A set is dated early, so that no later delete can miss it, and so a delete that another node acknowledged a
   * moment before may seem to come after it. As far as the clocks can be wrong about that, the set is issued once more,
   * after that delete. One that was issued for certain before the delete stays refused.
   */
  async #issueAgain(
    refused: readonly number[],
    writes: readonly Write[],
    outcomes: LevelOutcome[][],
    call: Call,
  ): Promise<void> {
    const { tiers, hlc, clock } = this.#parts;
    const keys = refused.map((i) => (writes[i] as Write).key);
    const known = await Promise.all(tiers.map((tier) => tier.read(keys, call)));
    // Dated a whole interval early here, and a whole one late there, each up to half of one off; and whole milliseconds.
    const reachMs = 4 * clock.uncertaintyMs() + 3;
    const again = refused.filter((i, nth) => {
      const { fillStart } = (writes[i] as Write).entry;
      const fences = known.flatMap((found) => (found[nth]?.kind === 'found' ? [found[nth].entry.fence] : []));
      if (fences.some(({ ms }) => ms - fillStart.ms > reachMs)) return false;
      for (const fence of fences) hlc.follow(fence);
      return true;
    });
    const issued = again.map((i) => {
      const write = writes[i] as Write;
      return { ...write, entry: { ...write.entry, fillStart: hlc.early() } };
    });
    const second = await this.#writeOnce(issued, call);
    again.forEach((i, nth) => {
      outcomes[i] = second[nth] as LevelOutcome[];
    });
  }

  async #writeOnce(writes: readonly Write[], call: Call): Promise<LevelOutcome[][]> {
    const { local, tiers, flights } = this.#parts;
    const here = writes.map(({ key, entry, mode }) => {
      flights.disarm(key);
      return local.put(key, entry, mode);
    });
    const there = await Promise.all(tiers.map(async (tier) => ({ tier, outcomes: await tier.write(writes, call) })));
    return writes.map((write, i) => {
      const outcomes: LevelOutcome[] = [{ level: 'local', outcome: here[i] as WriteOutcome }];
      for (const { tier, outcomes: ofTier } of there) {
        const outcome = ofTier[i] as WriteOutcome;
        outcomes.push({ level: tier.level, outcome, queued: this.#recoverLater(tier.level, write, outcome) });
        // Somebody else was newer: what we put here a moment ago must not outlive this call.
        if (outcome.kind === 'superseded') local.drop(write.key);
      }
      this.#forgetOlder(write);
      return outcomes;
    });
  }

  /** Raises a floor here and on every node that a feed reaches. */
  async invalidate(scope: Floor['scope'], subject: string, call: Call): Promise<WriteResult> {
    const { hlc, floors, feeds, flights, events, clock, tally } = this.#parts;
    const startedMs = clock.monotonicMs();
    const floor: Floor = { scope, subject, hlc: hlc.late() };
    floors.raise(floor);
    flights.disarmAll(concernedBy(floor));
    events.emit('invalidated', { scope, subject });
    const outcomes = await Promise.all(
      feeds.map(async ({ level, feed }): Promise<LevelOutcome> => ({ level, outcome: await feed.raise(floor, call) })),
    );
    tally.duration('invalidate', clock.monotonicMs() - startedMs);
    const version = { eventTimeMs: floor.hlc.ms, hlc: floor.hlc, origin: this.#parts.origin };
    return this.#result(encodeVersion(version), [{ level: 'local', outcome: { kind: 'stored' } }, ...outcomes]);
  }

  /**
   * This process may have had no room for what was written. Then a read begun while the write was on its way may have
   * brought the older entry back from a level that the write had not reached yet, or be about to.
   */
  #forgetOlder({ key, entry }: Write): void {
    const { local, flights } = this.#parts;
    const held = local.find(key)?.entry;
    if (held !== undefined && knowsOf(held, entry)) return;
    flights.disarm(key);
    if (held !== undefined) local.drop(key);
  }

  /** A fill need not be repeated: it tells the level nothing that it could not ask for again. */
  #recoverLater(level: Level, write: Write, outcome: WriteOutcome): boolean {
    const queue = this.#parts.recoveries.get(level);
    if (queue === undefined || write.mode === 'fill') return false;
    if (outcome.kind === 'stored') queue.taken(write);
    if (outcome.kind !== 'failed' && outcome.kind !== 'skipped') return false;
    // What the level will never take is not sent again.
    if (outcome.kind === 'failed' && errorType(outcome.error) === 'invalid-value') return false;
    queue.add(write);
    return true;
  }

  #announce(write: Write): void {
    const { events, origin } = this.#parts;
    if (!events.has('changed')) return;
    events.emit('changed', { key: write.key, version: versionText(write.entry, origin), by: 'here' });
  }

  #result(version: string, outcomes: readonly LevelOutcome[]): WriteResult {
    const status: Partial<Record<Level, WriteStatus>> = {};
    const errors: Partial<Record<Level, Error>> = {};
    for (const { level, outcome, queued } of outcomes) {
      status[level] = queued === true ? 'queued' : outcome.kind;
      if (outcome.kind === 'failed') errors[level] = outcome.error;
      if (outcome.kind === 'skipped') errors[level] = new CacheError('level-failed', `not asked: ${outcome.why}`);
      if (outcome.kind === 'failed' || outcome.kind === 'skipped') {
        this.#parts.tally.error(level, outcome.kind === 'skipped' ? outcome.why : 'write-failed');
      }
    }
    return {
      version,
      token: `${this.#parts.city}.${version}`,
      local: status.local ?? 'none',
      distributed: status.distributed ?? 'none',
      peer: status.peer ?? 'none',
      errors,
    };
  }

  #eventTimeMs(given: number | Date, wallMs: number, field: 'eventTime' | 'version'): number {
    const { ms, clamped } = eventTimeMs(given, wallMs, field);
    if (clamped) this.#parts.tally.clampedEventTimes += 1;
    return ms;
  }

  #givenVersion(text: string, wallMs: number): Version {
    const { version, clamped } = versionOfText(text, wallMs);
    if (clamped) this.#parts.tally.clampedEventTimes += 1;
    return version;
  }
}

const NO_ERRORS: WriteResult['errors'] = Object.freeze({});

interface LevelOutcome {
  readonly level: Level;
  readonly outcome: WriteOutcome;
  readonly queued?: boolean;
}

/** Whether a level refused a set though it keeps no newer data: there was a delete. */
function isFenced({ entry, mode }: Write, outcomes: readonly LevelOutcome[]): boolean {
  if (mode !== 'set' || entry.kind === 'tombstone') return false;
  return outcomes.some(
    ({ outcome }) =>
      outcome.kind === 'superseded' && outcome.by !== undefined && compareVersions(outcome.by, entry.version) <= 0,
  );
}

/** The version that a write is known by: of the data, or of the delete. */
function versionText(entry: Entry, origin: number): string {
  return encodeVersion(
    entry.kind === 'tombstone' ? { eventTimeMs: entry.fence.ms, hlc: entry.fence, origin } : entry.version,
  );
}

/** Whether what is held was known after, or with, what was written. */
function knowsOf(held: Entry, written: Entry): boolean {
  if (written.kind !== 'tombstone') return compareVersions(held.version, written.version) >= 0;
  return compareHlc(held.kind === 'tombstone' ? held.fence : held.fillStart, written.fence) >= 0;
}
