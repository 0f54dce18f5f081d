import type { Cache } from '../core/cache.js';
import { batchesOf } from './batches.js';
import type { VehicleId } from './domain.js';
import { patterns } from './keys.js';

/** Most vehicles of which one node invalidates the routes one by one. */
const OWN_PATTERNS_MAX = 64;
/** Most invalidations at a time; they cannot be batched. */
const AT_ONCE = 10;

/**
 * Invalidates what the cache keeps under `route:*:{id}` of vehicles that moved.
 *
 * A pattern is cheap to raise, but stays: every entry that is read is checked against every pattern there is, and the
 * cache keeps a few thousand at most before it gives up what is older. A pattern for each of 20,000 vehicles, 43 a
 * second, would take the whole cache down. So the first 64 vehicles have a pattern each, raised again and again at no
 * further cost, and beyond that one pattern covers the routes of all: too many are invalidated then, never too few.
 */
export class RouteInvalidation {
  readonly #cache: Pick<Cache, 'deleteByPattern'>;
  readonly #own = new Set<VehicleId>();

  constructor(cache: Pick<Cache, 'deleteByPattern'>) {
    this.#cache = cache;
  }

  async invalidate(ids: readonly VehicleId[]): Promise<void> {
    const others = ids.filter((id) => !this.#own.has(id));
    if (this.#own.size + others.length > OWN_PATTERNS_MAX) {
      await this.#cache.deleteByPattern(patterns.allRoutes);
      return;
    }
    for (const id of others) this.#own.add(id);
    for (const some of batchesOf(ids, AT_ONCE)) {
      await Promise.all(some.map((id) => this.#cache.deleteByPattern(patterns.routes(id))));
    }
  }
}
