import type { CallOptions } from './call.js';
import type { Duration } from './duration.js';
import type { KeyGiven, KeyId } from './key-template.js';
import type { Level } from './outcome.js';
import type { StandardSchema } from './standard-schema.js';

/** How an entry is to be kept. What is left out comes from the keyspace or the configuration. */
export interface EntryOptions {
  /** How long it is fresh. */
  readonly ttl?: Duration;
  /** How long after that it may be served while a new one is fetched behind the caller's back. */
  readonly staleWhileRevalidate?: Duration;
  /** How long after that it may be served because the source fails. */
  readonly staleIfError?: Duration;
  readonly tags?: readonly string[];
}

export interface SetOptions extends EntryOptions, CallOptions {
  /**
   * When the data came about (a device's time, a row's time), in ms since the epoch or as a Date; the newer wins. Or the
   * text of a whole version, as `setIfNewer` takes it.
   */
  readonly eventTime?: number | Date | string;
}

export interface LoadOptions<T = unknown> extends EntryOptions, CallOptions {
  /** When what was loaded came about, or the text of its version; left out, the moment the source was asked. */
  readonly eventTimeOf?: (value: T) => number | Date | string | undefined;
  /** How long it is remembered that the source has nothing; 0 means not at all. Default 5 s. */
  readonly absentTtl?: Duration;
  /** Ask the source whatever the cache holds. */
  readonly refresh?: boolean;
  /**
   * With `refresh`: what anybody in the city has filled later than this, in ms since the epoch or as a Date, is as good
   * as asking. Left out, that is the moment of the call.
   */
  readonly filledAfter?: number | Date;
}

/** What a loader is told. */
export interface LoadCall {
  /** Aborted at the deadline of the load. */
  readonly signal: AbortSignal;
  /** How long the load may take from now, in ms. */
  readonly remainingMs: number;
}

export type Load<T> = (call: LoadCall) => Promise<T | undefined> | T | undefined;
export type LoadMany<T> = (
  missing: readonly string[],
  call: LoadCall,
) => Promise<ReadonlyMap<string, T>> | ReadonlyMap<string, T>;

/**
 * What this process holds of an id, fresh or past its TTL: the same throughout a load, and undefined for what is deleted,
 * invalidated or not here.
 */
export type Known<Id, T> = (id: Id) => T | undefined;

/**
 * What one level did with a write. `superseded`: it has something newer. `queued`: it did not answer, and is sent the
 * write again until it does. `none`: there is no such level here.
 */
export type WriteStatus = 'stored' | 'superseded' | 'queued' | 'skipped' | 'failed' | 'none';

export interface WriteResult {
  /** 40 hex digits; text order is version order. */
  readonly version: string;
  /** Hand it on to read your own write elsewhere. Opaque. */
  readonly token: string;
  readonly local: WriteStatus;
  readonly distributed: WriteStatus;
  readonly peer: WriteStatus;
  /** What went wrong, for the levels that say `failed`, `skipped` or `queued`. */
  readonly errors: Readonly<Partial<Record<Level, Error>>>;
}

/** A value with all that is known about it. */
export interface EntryInfo<T = unknown> {
  readonly value: T | undefined;
  /** The level that answered. */
  readonly level: Level;
  /** Since the entry was made at its source. */
  readonly ageMs: number;
  /** How long ago, at most, the answering level last knew it to be the newest. */
  readonly boundMs: number;
  readonly stale: boolean;
  /** What remains of its TTL; 0 when stale. */
  readonly ttlMs: number;
  readonly version: string;
  readonly tags: readonly string[];
  readonly createdAt: Date;
  readonly lastAccessed: Date;
  readonly accessCount: number;
  /** The node that wrote it: 12 hex digits, as `stats().nodeId` of that node says. */
  readonly nodeId: string;
}

/** `degraded`: some of its shards or peers do not answer. `out`: none does. */
export type LevelState = 'ok' | 'degraded' | 'out';

export interface LevelStats {
  readonly hits: number;
  readonly misses: number;
  readonly errors: number;
  readonly skipped: number;
  /** In use here, in bytes and entries; undefined for a level that is elsewhere. */
  readonly sizeBytes: number | undefined;
  readonly entries: number | undefined;
  readonly state: LevelState;
}

export interface CacheStats {
  readonly nodeId: string;
  readonly city: string;
  readonly reads: number;
  readonly hits: number;
  readonly misses: number;
  /** Shares of all reads, 0 to 1, that each level answered. */
  readonly l1HitRate: number;
  readonly l2HitRate: number;
  readonly l3HitRate: number;
  readonly overallHitRate: number;
  readonly avgResponseTimeMs: number;
  readonly loads: number;
  readonly loadErrors: number;
  readonly staleServed: number;
  /** Times from the future that were clamped. */
  readonly clampedEventTimes: number;
  /** Answers of peers that came with word that many ask for the key, so that memory keeps it. */
  readonly hotAnswers: number;
  /** Values of a source, or of the cache, that the schema of their keyspace refused. */
  readonly invalidValues: number;
  readonly levels: Readonly<Partial<Record<Level, LevelStats>>>;
}

/** What `on` can listen to. */
export interface CacheEvents {
  /** A level, or a part of it (a shard, a peer), went out or came back. */
  readonly 'level-changed': { readonly level: Level; readonly state: LevelState; readonly detail: string };
  /** Something went wrong at a level behind everybody's back; at most one a second and level. */
  readonly 'level-error': { readonly level: Level; readonly error: Error };
  /** Written or removed, here or (when a feed says so) elsewhere. */
  readonly changed: { readonly key: string; readonly version: string; readonly by: 'here' | 'elsewhere' };
  /** Changes made elsewhere to keys of a partition (of all, when it is left out) may have gone by unheard. */
  readonly 'changes-missed': { readonly partition: number | undefined };
  /** A tag, a pattern or everything was invalidated. */
  readonly invalidated: { readonly scope: 'all' | 'partition' | 'tag' | 'pattern'; readonly subject: string };
  /** Writes that a level had not taken yet were given up: at the end of the process, or for want of room. */
  readonly 'writes-lost': { readonly level: Level; readonly writes: number };
  /** A background refresh failed; what was there is kept. */
  readonly 'refresh-error': { readonly key: string; readonly error: Error };
  /** The schema of a keyspace refused what its source said, or what somebody else had put into the cache. */
  readonly 'invalid-value': {
    readonly keyspace: string;
    readonly key: string;
    readonly from: 'source' | 'cache';
    readonly error: Error;
  };
}

/**
 * A typed view on one kind of entry. `Given` is an id as callers may give it, `Id` its one form.
 *
 * With a schema: what a loader says and what `set` is given must pass it. Of what the cache holds, what does not pass is
 * removed and loaded anew; without a loader it counts as missing. Every refusal by a schema but that of `set` is counted
 * (`stats().invalidValues`) and told (`invalid-value`).
 */
export interface Keyspace<Id, T, Given = Id> {
  readonly name: string;
  /** @throws CacheError `invalid-key` naming the placeholder, for an id that has no place in the template */
  key(id: Given): string;
  /** @throws CacheError `load-failed` when the source fails, or the schema refuses what it says, and nothing stands in */
  get(id: Given, call?: CallOptions): Promise<T | undefined>;
  /** As `get`, but that an id of which the schema refuses the value is left out: the others are none the worse for it. */
  getMany(ids: readonly Given[], call?: CallOptions): Promise<Map<Id, T>>;
  set(id: Given, value: T, options?: SetOptions): Promise<WriteResult>;
  delete(id: Given, call?: CallOptions): Promise<WriteResult>;
  /** Loads what is not cached yet; resolves with how many were loaded. */
  warm(ids: readonly Given[], call?: CallOptions): Promise<number>;
  /**
   * Asks the loader for all of them whatever is cached, but for what somebody else in the city has filled after
   * `filledAfter`; resolves with how many the loader had.
   */
  refresh(ids: readonly Given[], call?: CallOptions & Pick<LoadOptions, 'filledAfter'>): Promise<number>;
}

/** What is said once about a kind of entry, whatever form its keys have. */
export interface KeyspaceDeclaration<Id, T> {
  /** As it appears in errors and metrics. */
  readonly name: string;
  /** How long a value is kept; may depend on it. Left out: the configured defaults. */
  readonly lifetime?: EntryOptions | ((value: T, id: Id) => EntryOptions);
  readonly tags?: (id: Id, value: T) => readonly string[];
  /** When the data of a value came about, or the text of its version. */
  readonly version?: (value: T) => number | Date | string | undefined;
  /**
   * Values of the ids that exist; asked once for all that are missing. A source that can tell that what is `known` of an
   * id is what it has may answer with that very value, and need not send it: it is kept as anything loaded. A
   * version will do for that only if it changes with every change of the data.
   */
  readonly load?: (ids: readonly Id[], call: LoadCall, known: Known<Id, T>) => Promise<ReadonlyMap<Id, T>>;
  readonly absentTtl?: Duration;
  /**
   * What a value must look like: any Standard Schema that answers at once. What it makes of a value is what is kept, and
   * has to pass it too.
   */
  readonly schema?: StandardSchema<T>;
}

/** A kind of entry whose keys a function makes. */
export interface KeyspaceDefinition<Id, T> extends KeyspaceDeclaration<Id, T> {
  readonly key: (id: Id) => string;
}

/** A kind of entry whose keys follow a template, such as `vehicle:location:{vehicleId}`. */
export interface KeyspaceTemplate<Template extends string, T> extends KeyspaceDeclaration<KeyId<Template>, T> {
  /** Segments between colons, of which at least one is a placeholder. No id may have a colon or a wildcard in it. */
  readonly key: Template;
}

/**
 * A multi-level cache. Every asynchronous method is bounded by its deadline (`call.deadline`, else the configured
 * one) and can be given up with an `AbortSignal`. Bad arguments reject with a `CacheError` before anything changes; a
 * level that is down never makes a read or a write reject.
 */
export interface Cache extends AsyncDisposable {
  /** The value of this process's memory, if it is fresh. Synchronous: no other level is asked. */
  peek<T = unknown>(key: string): T | undefined;
  /** The value from the nearest level that has it, or undefined. */
  get<T = unknown>(key: string, call?: CallOptions): Promise<T | undefined>;
  getEntry<T = unknown>(key: string, call?: CallOptions): Promise<EntryInfo<T> | undefined>;
  /** The values of the keys that have one. */
  getMany<T = unknown>(keys: readonly string[], call?: CallOptions): Promise<Map<string, T>>;
  /**
   * The value, loaded and kept when no level has it. Concurrent callers share one load, and its failure.
   * @throws CacheError `load-failed` with the loader's error as cause, when no copy may stand in for it
   */
  getOrLoad<T = unknown>(key: string, load: Load<T>, options?: LoadOptions<T>): Promise<T | undefined>;
  /** As `getOrLoad`, with one call of `loadMany` for all that no level has. */
  getOrLoadMany<T = unknown>(
    keys: readonly string[],
    loadMany: LoadMany<T>,
    options?: LoadOptions<T>,
  ): Promise<Map<string, T>>;
  /** Stores a value in every level, each only if it is newer than what it holds. Resolves with what each level did. */
  set(key: string, value: unknown, options?: SetOptions): Promise<WriteResult>;
  setMany(entries: readonly (readonly [key: string, value: unknown, options?: SetOptions])[]): Promise<WriteResult[]>;
  /** `set` with the version of a source: an event time, or the text of a version. */
  setIfNewer(key: string, value: unknown, version: number | string, options?: SetOptions): Promise<WriteResult>;
  delete(key: string, call?: CallOptions): Promise<WriteResult>;
  deleteMany(keys: readonly string[], call?: CallOptions): Promise<WriteResult[]>;
  /** Nothing with this tag that was filled before is served any more. The cost does not depend on how many there are. */
  deleteByTag(tag: string, call?: CallOptions): Promise<WriteResult>;
  /** The same for a glob over keys: `vehicle:trips:42:*`, `route:*:42`. */
  deleteByPattern(pattern: string, call?: CallOptions): Promise<WriteResult>;
  /** The same for everything. */
  clear(call?: CallOptions): Promise<WriteResult>;
  has(key: string, call?: CallOptions): Promise<boolean>;
  /** Gives an entry a new TTL from now; false when there is none. */
  touch(key: string, ttl: Duration, call?: CallOptions): Promise<boolean>;
  /**
   * Declares a kind of entry. Its ids take their type from the template: `{ vehicleId }` for
   * `vehicle:location:{vehicleId}`, or, for there is only one placeholder, the id alone.
   * @throws CacheError `invalid-options` for a template, a schema or a name that is none
   */
  keyspace<Template extends string, T>(
    definition: KeyspaceTemplate<Template, T>,
  ): Keyspace<KeyId<Template>, T, KeyGiven<Template>>;
  keyspace<Id, T>(definition: KeyspaceDefinition<Id, T>): Keyspace<Id, T>;
  stats(): CacheStats;
  /**
   * Whether every change that was acknowledged more than a second ago, by whatever node, has been told here as `changed`
   * or `changes-missed`. Never, where nodes share nothing but peers: those tell no changes.
   */
  readonly hearsAll: boolean;
  /** @returns what stops listening */
  on<E extends keyof CacheEvents>(event: E, listener: (detail: CacheEvents[E]) => void): () => void;
  /** Ends what is in flight within its deadlines and gives everything back. */
  close(): Promise<void>;
}
