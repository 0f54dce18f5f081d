import type { Cache, LoadCall } from '../core/cache.js';
import type { CallOptions } from '../core/call.js';
import { CacheError } from '../core/errors.js';
import type { VehicleId } from './domain.js';
import { keys } from './keys.js';
import { ACTIVE_IDS_LIFETIME } from './lifetimes.js';
import type { FleetRepository } from './ports.js';

const PAGE = 5_000;
/** Most vehicles in service that one fleet is built for: ten times the platform's. */
const ACTIVE_MAX = 200_000;

/** Ids of the vehicles in service, in order, from the cache or page by page from the database. */
export class ActiveVehicles {
  readonly #cache: Cache;
  readonly #repository: FleetRepository;

  constructor(cache: Cache, repository: FleetRepository) {
    this.#cache = cache;
    this.#repository = repository;
  }

  async ids(options: CallOptions | undefined): Promise<readonly VehicleId[]> {
    const load = (call: LoadCall) => this.#load(call);
    const how = { ...ACTIVE_IDS_LIFETIME, ...options };
    return (await this.#cache.getOrLoad<readonly VehicleId[]>(keys.activeIds, load, how)) ?? [];
  }

  async #load(call: LoadCall): Promise<readonly VehicleId[]> {
    const ids: VehicleId[] = [];
    for (;;) {
      const page = await this.#repository.activeVehicleIds({ after: ids.at(-1), limit: PAGE }, call);
      for (const id of page) ids.push(id);
      if (page.length < PAGE) return ids;
      if (ids.length >= ACTIVE_MAX) {
        throw new CacheError('overloaded', `more than ${ACTIVE_MAX} vehicles are in service: split the fleet`);
      }
      call.signal.throwIfAborted();
    }
  }
}
