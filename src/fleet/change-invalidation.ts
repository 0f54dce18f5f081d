import type { Cache, WriteResult } from '../core/cache.js';
import { CacheError } from '../core/errors.js';
import { decodeVersion } from '../core/version.js';
import { batchesOf } from './batches.js';
import {
  type ChangeEffects,
  EVERYTHING,
  effectsOf,
  effectsOfMoves,
  type Moved,
  type RowChange,
} from './change-effects.js';
import type { VehicleId, VehicleLocation } from './domain.js';
import { keys } from './keys.js';
import { locationVersion } from './positions.js';
import { locationOptions } from './recording.js';
import { RouteInvalidation } from './route-invalidation.js';

/** Keys per write to the cache. */
const CHUNK = 500;
/** Most vehicles of which it is remembered what the cache was told last. */
const HEARD_MAX = 100_000;
/** Most vehicles whose positions were corrected, before none is gone by that was heard of. */
const DISTRUSTED_MAX = 10_000;

export interface ChangeInvalidationStats {
  /** Entries and patterns that were invalidated. */
  readonly deleted: number;
  readonly deletedPatterns: number;
  /** Positions that the cache was given, and positions that it had, or newer ones: mostly what the fleet wrote itself. */
  readonly positions: number;
  readonly known: number;
}

/**
 * Brings changes of the database to the cache. Every method resolves when the city has them for certain: when each level
 * has taken them, or this process sends them until it does.
 *
 * What the fleet writes itself comes back as a change, and is most of them. It is recognised by its version, not by its
 * writer: a position is news if the cache has heard of none as late. So what a node left undone that stopped between
 * the database and the cache is done here, and what it did is not done again.
 */
export class ChangeInvalidation {
  readonly #cache: Cache;
  readonly #routes: RouteInvalidation;
  readonly #heard: HeardPositions;
  readonly #counters = { deleted: 0, deletedPatterns: 0, positions: 0, known: 0 };

  constructor(cache: Cache) {
    this.#cache = cache;
    this.#heard = new HeardPositions(cache);
    // What routes it invalidates is waited for like the rest.
    this.#routes = new RouteInvalidation({
      deleteByPattern: async (pattern, call) => this.#checked(await cache.deleteByPattern(pattern, call)),
    });
  }

  stats(): ChangeInvalidationStats {
    return { ...this.#counters };
  }

  /** @throws CacheError when it is not certain that the city has them: apply the same changes again */
  async apply(changes: readonly RowChange[]): Promise<void> {
    const effects = effectsOf(changes);
    for (const id of effects.corrected) this.#heard.distrust(id);
    if (effects.deletedPatterns.has(keys.location('*'))) this.#heard.distrustAll();
    await this.#invalidate(effects);
    await this.#routes.invalidate([...effects.rerouted]);
    const news = await this.#news(effects.moves);
    const doubtful = news.filter(({ location }) => this.#heard.isDistrusted(location.vehicleId));
    await this.#forget(doubtful);
    await this.#tell(news.filter((moved) => !doubtful.includes(moved)));
  }

  /** Somebody else may have applied changes until now. */
  begin(): void {
    this.#heard.forget();
  }

  /** Nothing that was cached before is served any more. @throws as `apply` */
  startOver(): Promise<void> {
    return this.#invalidate(EVERYTHING);
  }

  /** Stops listening to the cache. */
  close(): void {
    this.#heard.close();
  }

  /**
   * A position of a vehicle that was set back: whether this is a move after that, or one from before that is told late, only
   * the database can say.
   */
  async #forget(doubtful: readonly Moved[]): Promise<void> {
    const { deletedLists, rerouted } = effectsOfMoves(doubtful);
    await this.#delete(deletedLists);
    await this.#delete(new Set(doubtful.map(({ location }) => keys.location(location.vehicleId))));
    await this.#routes.invalidate([...rerouted]);
  }

  async #tell(news: readonly Moved[]): Promise<void> {
    const { deletedLists, rerouted } = effectsOfMoves(news);
    await this.#delete(deletedLists);
    for (const some of batchesOf(news, CHUNK)) {
      await this.#cache.setMany(
        some.map(({ location }) => [keys.location(location.vehicleId), location, locationOptions(location)]),
      );
    }
    this.#counters.positions += news.length;
    await this.#routes.invalidate([...rerouted]);
  }

  async #invalidate(effects: Pick<ChangeEffects, 'deleted' | 'deletedPatterns' | 'deletedLists'>): Promise<void> {
    for (const pattern of effects.deletedPatterns) this.#checked(await this.#cache.deleteByPattern(pattern));
    this.#counters.deletedPatterns += effects.deletedPatterns.size;
    await this.#delete(effects.deletedLists);
    await this.#delete(effects.deleted);
  }

  async #delete(deleted: ReadonlySet<string>): Promise<void> {
    for (const some of batchesOf([...deleted], CHUNK)) await this.#cache.deleteMany(some);
    this.#counters.deleted += deleted.size;
  }

  /**
   * Entries that a level does not take wait in this process until it does. Floors do too, but of those it is not said:
   * where the shared level has not taken one, a node that stops now would take it along.
   */
  #checked(result: WriteResult): WriteResult {
    const { distributed, errors } = result;
    if (distributed !== 'failed' && distributed !== 'skipped') return result;
    throw new CacheError('level-failed', 'an invalidation did not reach the shared level of the cache', {
      cause: errors.distributed,
    });
  }

  async #news(moves: readonly Moved[]): Promise<Moved[]> {
    const unheard = moves.filter(({ location }) => !this.#heard.isKnown(location));
    const news: Moved[] = [];
    for (const some of batchesOf(unheard, CHUNK)) {
      const kept = await this.#cache.getMany<VehicleLocation>(
        some.map(({ location }) => keys.location(location.vehicleId)),
      );
      for (const moved of some) {
        const known = kept.get(keys.location(moved.location.vehicleId));
        if (known === undefined || locationVersion(known) < locationVersion(moved.location)) news.push(moved);
      }
    }
    this.#counters.known += moves.length - news.length;
    return news;
  }
}

/**
 * Which positions the cache was told of, by its own word: on every node it hears of every write in the city, though not
 * surely of each. A write that was heard of came from the database, so whatever is loaded after it is as late, and what
 * was loaded before it is refused for it.
 *
 * That ends when somebody sets a position back:
 *
 *   1. The fleet writes the position of 10:05, and it is heard of.
 *   2. Somebody corrects the row to 10:00. The entry is deleted, and the next read loads 10:00.
 *   3. Somebody moves the row to 10:03. Who went by what was heard would say that 10:05 is known, and keep 10:00.
 *
 * So what is heard of such a vehicle is not gone by any more, also because 1 may be heard of after 2.
 */
class HeardPositions {
  /** Versions by key; the least recently heard of first. */
  readonly #versions = new Map<string, string>();
  readonly #distrusted = new Set<string>();
  #allDistrusted = false;
  readonly close: () => void;

  constructor(cache: Cache) {
    const prefix = keys.location('');
    this.close = cache.on('changed', ({ key, version }) => {
      if (!key.startsWith(prefix)) return;
      this.#versions.delete(key);
      // What is told by its own time and node, a delete for one, says nothing of a position.
      if (decodeVersion(version).origin !== 0) return;
      this.#versions.set(key, version);
      if (this.#versions.size > HEARD_MAX) this.#forgetOldest();
    });
  }

  isKnown(location: VehicleLocation): boolean {
    const key = keys.location(location.vehicleId);
    if (this.isDistrusted(location.vehicleId)) return false;
    const heard = this.#versions.get(key);
    return heard !== undefined && heard >= locationVersion(location);
  }

  isDistrusted(id: VehicleId): boolean {
    return this.#allDistrusted || this.#distrusted.has(keys.location(id));
  }

  distrust(id: VehicleId): void {
    this.#distrusted.add(keys.location(id));
    if (this.#distrusted.size > DISTRUSTED_MAX) this.distrustAll();
  }

  distrustAll(): void {
    this.#allDistrusted = true;
    this.#distrusted.clear();
  }

  /** Of corrections that somebody else applied nothing is known here. */
  forget(): void {
    this.#versions.clear();
  }

  #forgetOldest(): void {
    const oldest = this.#versions.keys().next();
    if (oldest.done === false) this.#versions.delete(oldest.value);
  }
}
