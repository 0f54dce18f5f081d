import type { Cache, CacheEvents } from '../core/cache.js';
import { type Call, waitWithin } from '../core/call.js';
import type { Cancel, Clock } from '../core/clock.js';
import { batchesOf } from './batches.js';
import type { VehicleId, VehicleLocation } from './domain.js';
import { keys, tags } from './keys.js';
import type { FleetKeyspaces } from './keyspaces.js';

/** Somebody who goes by where vehicles are, as it becomes known here. */
export interface LocationFollower {
  /** Whether a vehicle is worth reading for him. */
  wants(id: VehicleId): boolean;
  /** Whether its position is worth asking the database for when the cache has none. */
  readonly loads: boolean;
  /** Whether what is recorded here is told only after all that depends on it has been invalidated. */
  readonly late: boolean;
  /** A position that the cache has now. It may come twice, and, seldom, after a newer one. */
  moved(location: VehicleLocation): void;
  /** The cache has no position of this vehicle any more. */
  lost(id: VehicleId): void;
  /** Vehicles of a partition (of all, when left out) may have moved unheard. */
  missed(partition: number | undefined): void;
}

export interface LiveLocationsParts {
  readonly cache: Cache;
  readonly clock: Clock;
  readonly keyspaces: Pick<FleetKeyspaces, 'location'>;
}

const BATCH = 500;
/** Most vehicles that wait to be read; beyond it all are taken to have moved. Ten times the platform's. */
const CHANGED_MAX = 200_000;
/** After how long a position is asked for again that could not be had. */
const RETRY_MS = 1_000;
/** What the cache promises to have told after: see P1 of the design. */
const TOLD_WITHIN_MS = 1_000;
const PREFIX = keys.location('');
const TAG_PREFIX = tags.vehicle('');
const TAGS = [tags.locations, tags.region('')];

/**
 * Hears from the cache which vehicles have moved, whoever recorded it, and reads where they are: each once for all
 * who go by it, what comes together in one batch, and what moves again while it waits only once. Listens only while
 * somebody follows.
 */
export class LiveLocations {
  readonly #parts: LiveLocationsParts;
  readonly #followers = new Set<LocationFollower>();
  readonly #changed = new Set<VehicleId>();
  /** Being recorded here at the moment. */
  readonly #recording = new Set<VehicleId>();
  readonly #later = new Set<VehicleId>();
  #cancelLater: Cancel | undefined;
  #reading: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #stops: (() => void)[] = [];
  #wholeSinceMs = 0;

  constructor(parts: LiveLocationsParts) {
    this.#parts = parts;
  }

  follow(follower: LocationFollower): void {
    this.#followers.add(follower);
    if (this.#stops.length > 0) return;
    const { cache, clock } = this.#parts;
    this.#wholeSinceMs = clock.monotonicMs();
    this.#stops = [
      cache.on('changed', ({ key, by }) => {
        if (key.startsWith(PREFIX)) this.#note(key.slice(PREFIX.length), key, by === 'here');
      }),
      cache.on('changes-missed', ({ partition }) => this.#miss(partition)),
      cache.on('invalidated', ({ scope, subject }) => this.#invalidate(scope, subject)),
    ];
  }

  unfollow(follower: LocationFollower): void {
    this.#followers.delete(follower);
    if (this.#followers.size > 0) return;
    for (const stop of this.#stops) stop();
    this.#stops = [];
    this.#changed.clear();
    this.#later.clear();
    this.#cancelLater?.();
    this.#cancelLater = undefined;
  }

  /**
   * Whether every move that was acknowledged since a second after the last gap has been heard, but for those of the
   * last second: so long ago, that what the cache says now was written by whoever wrote before we listened.
   */
  get isWhole(): boolean {
    const { cache, clock } = this.#parts;
    return (
      this.#stops.length > 0 && clock.monotonicMs() - this.#wholeSinceMs >= TOLD_WITHIN_MS && cache.hearsAll === true
    );
  }

  /** Resolves when all has been read that was heard of before; undefined when it has. */
  settled(call: Call): Promise<void> | undefined {
    const open = this.#changed.size > 0 ? this.#readNext() : this.#reading;
    return open && waitWithin(this.#parts.clock, call, 'the vehicles that moved', open);
  }

  /** Reads these vehicles again, as if they had moved. */
  touch(ids: Iterable<VehicleId>): void {
    for (const id of ids) this.#note(id, keys.location(id), false);
  }

  /** These are about to be written here. */
  recording(ids: readonly VehicleId[]): void {
    if (this.#followers.size > 0) for (const id of ids) this.#recording.add(id);
  }

  /** They have been, and so has all that depends on them. */
  recorded(ids: readonly VehicleId[]): void {
    for (const id of ids) if (this.#recording.delete(id)) this.#note(id, keys.location(id), false);
  }

  #note(id: VehicleId, key: string, here: boolean): void {
    const early = here && this.#recording.has(id);
    const followers = [...this.#followers].filter((follower) => follower.wants(id) && !(early && follower.late));
    if (followers.length === 0) return;
    const location = this.#parts.cache.peek<VehicleLocation>(key);
    if (location !== undefined) {
      for (const follower of followers) follower.moved(location);
      return;
    }
    this.#changed.add(id);
    if (this.#changed.size > CHANGED_MAX) {
      this.#changed.clear();
      this.#miss(undefined);
    }
    void this.#readNext();
  }

  #invalidate(scope: CacheEvents['invalidated']['scope'], subject: string): void {
    if (scope === 'tag' && subject.startsWith(TAG_PREFIX)) this.touch([subject.slice(TAG_PREFIX.length)]);
    else if (scope === 'tag' ? TAGS.some((tag) => subject.startsWith(tag)) : scope !== 'pattern' || concerns(subject)) {
      this.#miss(undefined);
    }
  }

  #miss(partition: number | undefined): void {
    this.#wholeSinceMs = this.#parts.clock.monotonicMs();
    for (const follower of this.#followers) follower.missed(partition);
  }

  /** One batch at a time; what changes meanwhile waits for the next. */
  #readNext(): Promise<void> {
    this.#next ??= (async () => {
      await this.#reading;
      this.#next = undefined;
      const ids = [...this.#changed];
      this.#changed.clear();
      const reading = this.#readAll(ids);
      this.#reading = reading;
      await reading;
      if (this.#reading === reading) this.#reading = undefined;
    })();
    return this.#next;
  }

  /** Never rejects. */
  async #readAll(ids: readonly VehicleId[]): Promise<void> {
    for (const batch of batchesOf(ids, BATCH)) await this.#read(batch);
  }

  async #read(ids: readonly VehicleId[]): Promise<void> {
    const { cache } = this.#parts;
    const found = await cache.getMany<VehicleLocation>(ids.map(keys.location)).catch(() => undefined);
    const missing: VehicleId[] = [];
    for (const id of ids) {
      const location = found?.get(keys.location(id));
      if (location === undefined) missing.push(id);
      else this.#tell(id, location);
    }
    if (missing.length === 0) return;
    for (const id of missing) for (const follower of this.#followers) if (follower.wants(id)) follower.lost(id);
    const wanted = missing.filter((id) => [...this.#followers].some((one) => one.loads && one.wants(id)));
    if (wanted.length > 0) await this.#load(wanted);
  }

  async #load(ids: readonly VehicleId[]): Promise<void> {
    try {
      for (const [id, location] of await this.#parts.keyspaces.location.getMany(ids)) this.#tell(id, location);
    } catch {
      for (const id of ids) this.#later.add(id);
      this.#cancelLater ??= this.#parts.clock.schedule(RETRY_MS, () => {
        this.#cancelLater = undefined;
        const again = [...this.#later];
        this.#later.clear();
        this.touch(again);
      });
    }
  }

  #tell(id: VehicleId, location: VehicleLocation): void {
    for (const follower of this.#followers) if (follower.wants(id)) follower.moved(location);
  }
}

/** Whether a pattern may match positions, or the lists of who is where. Those of routes are raised with every move. */
function concerns(pattern: string): boolean {
  const [literal = ''] = pattern.split(/[*?\\]/, 1);
  return [PREFIX, keys.nearby('')].some((prefix) => prefix.startsWith(literal) || literal.startsWith(prefix));
}
