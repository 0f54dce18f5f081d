import { afterEach } from 'vitest';
import type { Cache } from '../../src/core/cache.js';
import type { LocationUpdate } from '../../src/fleet/domain.js';
import { type CacheConfig, createCache } from '../../src/index.js';
import { createFleet, type Fleet } from '../../src/node/fleet.js';
import { MemoryRepository } from '../source/memory-repository.js';

export interface FleetNode {
  readonly cache: Cache;
  readonly fleet: Fleet;
}

/** A database that tells how often it was asked which vehicles are in a place. */
export class CountingRepository extends MemoryRepository {
  placeReads = 0;

  override async locationsWithin(...question: Parameters<MemoryRepository['locationsWithin']>) {
    this.placeReads += 1;
    return super.locationsWithin(...question);
  }
}

/** Closes after each test what it was given in it, the last first. */
export function useClosing(): (close: () => Promise<unknown>) => void {
  const closes: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const close of closes.splice(0).reverse()) await close();
  });
  return (close) => closes.push(close);
}

/** Nodes over one database, each with a configuration of its own. */
export async function openNodes(
  configs: readonly CacheConfig[],
  onClose: (close: () => Promise<unknown>) => void,
  repository = new CountingRepository(),
): Promise<{ readonly nodes: FleetNode[]; readonly repository: CountingRepository }> {
  const nodes: FleetNode[] = [];
  for (const config of configs) {
    const cache = await createCache({ city: 'mumbai', ...config });
    onClose(() => cache.close());
    const fleet = createFleet({ cache, repository });
    onClose(() => fleet.close());
    nodes.push({ cache, fleet });
  }
  return { nodes, repository };
}

/** A report of a vehicle in Mumbai, of now. */
export function reportNow(vehicleId: number, changes: Partial<LocationUpdate> = {}): LocationUpdate {
  return { vehicleId, lat: 19.0765, lon: 72.8777, speedKmh: 38, engineOn: true, at: Date.now(), ...changes };
}
