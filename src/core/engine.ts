import type {
  Cache,
  CacheEvents,
  CacheStats,
  EntryInfo,
  Load,
  LoadMany,
  LoadOptions,
  SetOptions,
  WriteResult,
} from './cache.js';
import { type Call, type CallOptions, checkCall, remainingMs, startCall } from './call.js';
import type { Codec } from './codec.js';
import { type Duration, positiveDurationMs } from './duration.js';
import type { Emitter } from './emitter.js';
import type { Entry } from './entry.js';
import { entryInfo, type FoundValue } from './entry-info.js';
import { CacheError } from './errors.js';
import { FeedIntake } from './feed-intake.js';
import type { FeedLeases } from './feed-lease.js';
import { listenToFeeds } from './feed-listening.js';
import { compileGlob } from './glob.js';
import { nextReading } from './hlc.js';
import { checkKey, checkTags } from './key.js';
import { keyspacesOf } from './keyspace.js';
import type { Answer } from './ladder.js';
import { throwIfLoadFailed } from './load-failures.js';
import type { Loader } from './loader.js';
import { isHere } from './local.js';
import { type Deadlines, Reader, type ReaderParts, UNREADABLE } from './reader.js';
import { cacheStats, type StatsParts } from './stats.js';
import type { Write } from './tier.js';
import { Writer, type WriterParts } from './writer.js';

/** Hits in this process are timed once in so many: reading the clock costs as much as the hit. */
const SAMPLE_EVERY = 64;

export interface EngineParts extends ReaderParts, Omit<WriterParts, 'flights'>, StatsParts {
  readonly codec: Codec;
  readonly events: Emitter<CacheEvents>;
  readonly feedLeases: FeedLeases;
  /** Gives back what the levels have in common. */
  release(): Promise<void>;
}

/**
 * The cache: one object over all levels. It checks what it is given, answers from this process's memory if it can,
 * and leaves the rest to the `Reader` (flights and ladder) and the `Writer` (versions and levels).
 */
export class Engine implements Cache {
  readonly #parts: EngineParts;
  readonly #reader: Reader;
  readonly #writer: Writer;
  readonly keyspace = keyspacesOf(this);
  #untilSample = SAMPLE_EVERY;
  #closing: Promise<void> | undefined;

  constructor(parts: EngineParts) {
    this.#parts = parts;
    this.#reader = new Reader(parts);
    const flights = this.#reader.flights;
    this.#writer = new Writer({ ...parts, flights });
    listenToFeeds(parts, new FeedIntake({ ...parts, flights, leases: parts.feedLeases }));
  }

  peek<T = unknown>(key: string): T | undefined {
    const value = this.#parts.local.read(key);
    if (!isHere(value)) return undefined;
    this.#parts.tally.hit('local');
    return value as T | undefined;
  }

  get<T = unknown>(key: string, call?: CallOptions): Promise<T | undefined> {
    const value = this.#readLocal(key);
    // No async frame, no clock, no deadline between a caller and a hit in this process.
    if (isHere(value)) return Promise.resolve(value as T | undefined);
    return this.#getBelow(key, call) as Promise<T | undefined>;
  }

  async getEntry<T = unknown>(key: string, options?: CallOptions): Promise<EntryInfo<T> | undefined> {
    const { local, clock } = this.#parts;
    const found = await this.#find(key, this.#begin([key], options, 'readMs'));
    if (found === undefined) return undefined;
    return entryInfo(found, clock.wallMs(), local.find(key)) as EntryInfo<T>;
  }

  async getMany<T = unknown>(keys: readonly string[], options?: CallOptions): Promise<Map<string, T>> {
    const { found, open } = this.#readLocalMany(keys);
    if (open.length > 0) {
      const call = this.#begin(open, options, 'readMs');
      if (open.every((key) => this.#reader.isMissing(key))) {
        for (const _ of open) this.#parts.tally.miss();
        return found as Map<string, T>;
      }
      const startedMs = this.#parts.clock.monotonicMs();
      const answers = await this.#reader.read(open, call);
      this.#count(answers, startedMs);
      this.#collect(open, answers, found);
    }
    return found as Map<string, T>;
  }

  getOrLoad<T = unknown>(key: string, load: Load<T>, options?: LoadOptions<T>): Promise<T | undefined> {
    if (options?.refresh !== true) {
      const value = this.#readLocal(key);
      if (isHere(value)) return Promise.resolve(value as T | undefined);
    }
    const loader: Loader = {
      load: async (_keys, call) => {
        const value = await load(call);
        return value === undefined ? new Map() : new Map([[key, value]]);
      },
    };
    return this.#loadOne(key, loader, options as LoadOptions | undefined) as Promise<T | undefined>;
  }

  async getOrLoadMany<T = unknown>(
    keys: readonly string[],
    loadMany: LoadMany<T>,
    options?: LoadOptions<T>,
  ): Promise<Map<string, T>> {
    const loader: Loader = { load: async (missing, call) => loadMany(missing, call) };
    return (await this.loadMany(keys, loader, options as LoadOptions | undefined)) as Map<string, T>;
  }

  /** As `getOrLoadMany`, for loaders that say of each value how it is to be kept. */
  async loadMany(keys: readonly string[], loader: Loader, options?: LoadOptions): Promise<Map<string, unknown>> {
    const refresh = options?.refresh === true;
    const { found, open } = refresh
      ? { found: new Map<string, unknown>(), open: [...new Set(keys)] }
      : this.#readLocalMany(keys);
    if (open.length === 0) return found;
    const source = this.#reader.source(loader, options);
    const call = this.#begin(open, options, 'loadMs');
    const startedMs = this.#parts.clock.monotonicMs();
    const answers = await this.#reader.load(open, source, refresh, call);
    this.#count(answers, startedMs);
    for (const answer of answers) throwIfLoadFailed(answer, loader);
    const unreadable = this.#collect(open, answers, found);
    if (unreadable.length > 0)
      this.#collect(unreadable, await this.#reader.load(unreadable, source, true, call), found);
    return found;
  }

  async set(key: string, value: unknown, options?: SetOptions): Promise<WriteResult> {
    this.#check(options);
    return this.#writeOne(this.#writer.prepareSet(key, value, options), options);
  }

  async setMany(
    entries: readonly (readonly [key: string, value: unknown, options?: SetOptions])[],
  ): Promise<WriteResult[]> {
    const call = this.#begin([], undefined, 'writeMs');
    const writes = entries.map(([key, value, options]) => this.#writer.prepareSet(key, value, options));
    return this.#writer.write(writes, call);
  }

  async setIfNewer(key: string, value: unknown, version: number | string, options?: SetOptions): Promise<WriteResult> {
    this.#check(options);
    return this.#writeOne(this.#writer.prepareSet(key, value, options, version), options);
  }

  async delete(key: string, options?: CallOptions): Promise<WriteResult> {
    this.#check(options);
    return this.#writeOne(this.#writer.prepareDelete(key), options);
  }

  async deleteMany(keys: readonly string[], options?: CallOptions): Promise<WriteResult[]> {
    const call = this.#begin(keys, options, 'writeMs');
    return this.#writer.write(
      keys.map((key) => this.#writer.prepareDelete(key)),
      call,
    );
  }

  async deleteByTag(tag: string, options?: CallOptions): Promise<WriteResult> {
    checkTags([tag]);
    return this.#writer.invalidate('tag', tag, this.#begin([], options, 'writeMs'));
  }

  async deleteByPattern(pattern: string, options?: CallOptions): Promise<WriteResult> {
    compileGlob(pattern);
    return this.#writer.invalidate('pattern', pattern, this.#begin([], options, 'writeMs'));
  }

  async clear(options?: CallOptions): Promise<WriteResult> {
    return this.#writer.invalidate('all', '', this.#begin([], options, 'writeMs'));
  }

  async has(key: string, options?: CallOptions): Promise<boolean> {
    const value = this.#readLocal(key);
    if (isHere(value)) return value !== undefined;
    const answer = await this.#readBelow(key, this.#begin([key], options, 'readMs'));
    return answer.entry?.kind === 'value';
  }

  async touch(key: string, ttl: Duration, options?: CallOptions): Promise<boolean> {
    const { clock, codec } = this.#parts;
    const ttlMs = positiveDurationMs(ttl, 'ttl');
    const call = this.#begin([key], options, 'writeMs');
    const found = await this.#find(key, call);
    // Of what is stale nobody could say whether it is still there.
    if (found === undefined || found.stale) return false;
    const { entry, value } = found;
    // The very next reading, and not the present one: it replaces what was read, and passes no delete or floor that
    // what was read would not have passed, not even one that the level it came from has missed.
    const fillStart = nextReading(entry.fillStart);
    const touched: Entry = { ...entry, payload: codec.encode(value), fillStart, freshUntilMs: clock.wallMs() + ttlMs };
    const [result] = await this.#writer.write([{ key, entry: touched, mode: 'fill' }], call);
    return result?.local === 'stored' || result?.distributed === 'stored' || result?.peer === 'stored';
  }

  restOf(options: CallOptions | undefined): () => CallOptions {
    const { clock, deadlines } = this.#parts;
    const call = startCall(clock, options, deadlines.loadMs, 'read');
    return () => ({ ...options, deadline: Math.max(1, remainingMs(clock, call)) });
  }

  refused(keyspace: string, key: string, from: 'source' | 'cache', error: Error): void {
    this.#parts.tally.invalidValues += 1;
    this.#parts.events.emit('invalid-value', { keyspace, key, from, error });
  }

  stats(): CacheStats {
    return cacheStats(this.#parts);
  }

  get hearsAll(): boolean {
    const { tiers, feedLeases, clock } = this.#parts;
    return tiers.length === 0 || (feedLeases.end && feedLeases.vouchesForAll(clock.monotonicMs()));
  }

  on<E extends keyof CacheEvents>(event: E, listener: (detail: CacheEvents[E]) => void): () => void {
    return this.#parts.events.on(event, listener);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    this.#parts.local.dropAll();
    await this.#reader.settle();
    await this.#drain();
    try {
      await Promise.all(this.#parts.tiers.map((tier) => tier.close()));
    } finally {
      await this.#parts.release();
    }
  }

  async #drain(): Promise<void> {
    const { recoveries, events } = this.#parts;
    const closing = [...recoveries].map(async ([level, queue]) => {
      const writes = await queue.close();
      if (writes > 0) events.emit('writes-lost', { level, writes });
    });
    await Promise.all(closing);
  }

  /** The check of every operation that this process's memory does not answer. */
  #check(options: CallOptions | undefined): void {
    if (this.#closing !== undefined) {
      throw new CacheError('closed', 'the cache is closed: make a new one with createCache');
    }
    checkCall(options);
  }

  /** The check and the clock of every operation that leaves this process's memory. */
  #begin(keys: readonly string[], options: CallOptions | undefined, kind: keyof Deadlines): Call {
    this.#check(options);
    for (const key of keys) checkKey(key);
    return startCall(this.#parts.clock, options, this.#parts.deadlines[kind], kind === 'writeMs' ? 'write' : 'read');
  }

  /** Nobody waits where there is nobody to tell. */
  #writeOne(write: Write, options: CallOptions | undefined): WriteResult | Promise<WriteResult> {
    if (this.#writer.isAlone) return this.#writer.writeHere(write);
    const { clock, deadlines } = this.#parts;
    return this.#writer.writeOne(write, startCall(clock, options, deadlines.writeMs, 'write'));
  }

  #readLocal(key: string): unknown {
    if (--this.#untilSample === 0) return this.#readLocalTimed(key);
    const value = this.#parts.local.read(key);
    if (isHere(value)) this.#parts.tally.hit('local');
    return value;
  }

  #readLocalTimed(key: string): unknown {
    const { clock, local, tally } = this.#parts;
    this.#untilSample = SAMPLE_EVERY;
    const startedMs = clock.monotonicMs();
    const value = local.read(key);
    if (!isHere(value)) return value;
    tally.duration('get:local', clock.monotonicMs() - startedMs);
    tally.hit('local');
    return value;
  }

  #readLocalMany(keys: readonly string[]): { found: Map<string, unknown>; open: string[] } {
    const found = new Map<string, unknown>();
    const open: string[] = [];
    for (const key of new Set(keys)) {
      const value = this.#readLocal(key);
      if (!isHere(value)) open.push(key);
      else if (value !== undefined) found.set(key, value);
    }
    return { found, open };
  }

  /** What is cached of a key, with what is known about it; undefined for what is not there, absent or deleted. */
  async #find(key: string, call: Call): Promise<FoundValue | undefined> {
    if (isHere(this.#readLocal(key))) {
      const held = this.#parts.local.find(key);
      if (held !== undefined) {
        return held.entry.kind === 'value'
          ? { entry: held.entry, level: 'local', stale: false, value: held.value }
          : undefined;
      }
    }
    const answer = await this.#readBelow(key, call);
    const { entry, level, stale } = answer;
    if (entry?.kind !== 'value' || level === undefined) return undefined;
    const value = this.#reader.valueOf(key, answer);
    return value === UNREADABLE ? undefined : { entry, level, stale, value };
  }

  async #getBelow(key: string, options: CallOptions | undefined): Promise<unknown> {
    if (this.#reader.isMissing(key)) {
      this.#check(options);
      checkKey(key);
      this.#parts.tally.miss();
      return undefined;
    }
    const call = this.#begin([key], options, 'readMs');
    const startedMs = this.#parts.clock.monotonicMs();
    const answer = await this.#reader.readOne(key, call);
    this.#countOne(answer);
    this.#parts.tally.duration('get', this.#parts.clock.monotonicMs() - startedMs);
    const value = this.#reader.valueOf(key, answer);
    return value === UNREADABLE ? undefined : value;
  }

  async #readBelow(key: string, call: Call): Promise<Answer> {
    const startedMs = this.#parts.clock.monotonicMs();
    const answer = await this.#reader.readOne(key, call);
    this.#count([answer], startedMs);
    return answer;
  }

  async #loadOne(key: string, loader: Loader, options: LoadOptions | undefined): Promise<unknown> {
    const call = this.#begin([key], options, 'loadMs');
    const source = this.#reader.source(loader, options);
    const startedMs = this.#parts.clock.monotonicMs();
    const [answer] = (await this.#reader.load([key], source, options?.refresh === true, call)) as [Answer];
    this.#count([answer], startedMs);
    throwIfLoadFailed(answer);
    const value = this.#reader.valueOf(key, answer);
    if (value !== UNREADABLE) return value;
    const [again] = (await this.#reader.load([key], source, true, call)) as [Answer];
    throwIfLoadFailed(again);
    return this.#reader.valueOf(key, again);
  }

  /** @returns the keys whose values could not be read */
  #collect(keys: readonly string[], answers: readonly Answer[], found: Map<string, unknown>): string[] {
    return keys.filter((key, i) => {
      const answer = answers[i] as Answer;
      if (answer.entry?.kind !== 'value') return false;
      const value = this.#reader.valueOf(key, answer);
      if (value === UNREADABLE) return true;
      found.set(key, value);
      return false;
    });
  }

  #countOne({ level, stale }: Answer): void {
    const { tally } = this.#parts;
    if (level === undefined) tally.miss();
    else if (level === 'source') tally.loaded();
    else tally.hit(level);
    if (stale) tally.staleServed += 1;
  }

  #count(answers: readonly Answer[], startedMs: number): void {
    const { tally, clock } = this.#parts;
    for (const answer of answers) this.#countOne(answer);
    tally.duration('get', clock.monotonicMs() - startedMs);
  }
}
