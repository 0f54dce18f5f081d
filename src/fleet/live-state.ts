import type { CallOptions } from '../core/call.js';
import type { ActiveVehicles } from './active-vehicles.js';
import { batchesOf } from './batches.js';
import type { VehicleId, VehicleLocation } from './domain.js';
import type { FleetKeyspaces } from './keyspaces.js';
import type { LiveFilter } from './live-filter.js';
import type { Nearby, NearbyPlace } from './nearby.js';

export interface LiveStateParts {
  readonly keyspaces: Pick<FleetKeyspaces, 'location'>;
  readonly active: Pick<ActiveVehicles, 'ids'>;
  readonly nearby: Pick<Nearby, 'find'>;
}

const BATCH = 500;
/** For each step: how long the listener takes for what he is told in between is not counted. */
const DEADLINE_MS = 10_000;

/** Where the vehicles are that a filter watches, in batches: by its narrowest part, and all in service without one. */
export async function* currentLocations(
  parts: LiveStateParts,
  { vehicles, regions, box, fits }: LiveFilter,
  signal: AbortSignal,
): AsyncGenerator<VehicleLocation[]> {
  const { keyspaces, active, nearby } = parts;
  const call: CallOptions = { deadline: DEADLINE_MS, signal };
  if (vehicles === undefined && (regions !== undefined || box !== undefined)) {
    const places: readonly NearbyPlace[] = regions === undefined ? [box as NearbyPlace] : [...regions];
    for (const place of places) {
      const found = await nearby.find(place, call);
      yield found.filter(fits).map(({ distanceKm: _, ...location }) => location);
    }
    return;
  }
  const ids: Iterable<VehicleId> = vehicles ?? (await active.ids(call));
  for (const batch of batchesOf([...ids], BATCH)) {
    const found = await keyspaces.location.getMany(batch, call);
    yield [...found.values()].filter(fits);
  }
}
