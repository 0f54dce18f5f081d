/**
 * Saving positions in one statement: append them to the history, then move the newest position of each vehicle
 * forward. Three things make it right while other batches run:
 *
 * - The fence stands in the database. `on conflict do update ... where excluded.at > at` waits for whoever holds the
 *   row and then compares with what that one left behind, so a batch that comes late by any route changes nothing.
 * - Where a vehicle was before is kept in its row by the update itself and comes back from there. Read beside the
 *   update, in the same statement, it would be what the statement's snapshot saw, which another batch may have
 *   replaced since.
 * - Rows are locked in one order by every batch: history before newest positions (which `moved` makes sure of by asking
 *   how many were appended), and each in order of vehicle. Two batches of the same vehicles wait for each other and
 *   never in a circle.
 *
 * Several positions of one vehicle in a batch: all are appended, and only the latest may become the newest (one
 * statement cannot update a row twice); at one time, the one that came first.
 */
import type { SavedLocation, VehicleId, VehicleLocation } from './fleet-records.js';
import type { Statement } from './postgres-pool.js';
import { dateToTimestamp } from './postgres-types.js';

const COLUMNS = 'vehicle_id, at, lat, lon, speed_kmh, heading_deg, engine_on, region';
const IDENTITY = 'vehicle_id, at, lat, lon, speed_kmh';

export const SAVE_LOCATIONS: Statement = {
  name: 'save-locations',
  text: `with given as (
      select * from unnest($1::numeric[], $2::timestamptz[], $3::float8[], $4::float8[], $5::float8[], $6::float8[],
        $7::boolean[], $8::text[]) with ordinality as given(${COLUMNS}, n)
    ), appended as (
      insert into vehicle_location_history (${COLUMNS})
      select distinct on (${IDENTITY}) ${COLUMNS} from given order by ${IDENTITY}, n
      on conflict do nothing
      returning ${IDENTITY}
    ), moved as (
      insert into vehicle_locations as newest (${COLUMNS})
      select distinct on (vehicle_id) ${COLUMNS} from given
      where (select count(*) from appended) >= 0
      order by vehicle_id, at desc, n
      on conflict (vehicle_id) do update set at = excluded.at, lat = excluded.lat, lon = excluded.lon,
        speed_kmh = excluded.speed_kmh, heading_deg = excluded.heading_deg, engine_on = excluded.engine_on,
        region = excluded.region, previous_lat = newest.lat, previous_lon = newest.lon,
        previous_region = newest.region
      where excluded.at > newest.at
      returning ${IDENTITY}, previous_lat, previous_lon, previous_region
    )
    select ${IDENTITY}, true as moved, previous_lat, previous_lon, previous_region from moved
    union all
    select ${IDENTITY}, false, null, null, null from appended`,
};

/** The newest positions of vehicles that a batch did not move. */
export const NEWEST_LOCATIONS: Statement = {
  name: 'newest-locations',
  text: `select ${IDENTITY}, region from vehicle_locations where vehicle_id = any($1::numeric[])`,
};

interface Position {
  readonly vehicle_id: VehicleId;
  readonly at: Date;
  readonly lat: number;
  readonly lon: number;
  readonly speed_kmh: number;
}

/** A position that was appended to the history, or (`moved`) became the newest of its vehicle. */
export interface SavedRow extends Position {
  readonly moved: boolean;
  readonly previous_lat: number | null;
  readonly previous_lon: number | null;
  readonly previous_region: string | null;
}

export interface NewestRow extends Position {
  readonly region: string;
}

export function saveLocationsValues(locations: readonly VehicleLocation[]): readonly unknown[][] {
  return [
    locations.map((location) => location.vehicleId),
    locations.map((location) => dateToTimestamp(location.at)),
    locations.map((location) => location.lat),
    locations.map((location) => location.lon),
    locations.map((location) => location.speedKmh),
    locations.map((location) => location.headingDeg ?? null),
    locations.map((location) => location.engineOn),
    locations.map((location) => location.region),
  ];
}

/** Tells for each position what became of it, from what the two statements said. */
export class LocationVerdicts {
  readonly #appended = new Set<string>();
  readonly #newest = new Map<VehicleId, { readonly identity: string; readonly previous: SavedLocation['previous'] }>();

  constructor(rows: readonly SavedRow[]) {
    for (const row of rows) {
      const identity = identityOf(row.vehicle_id, row.at, row.lat, row.lon, row.speed_kmh);
      if (row.moved) this.#newest.set(row.vehicle_id, { identity, previous: previousOf(row) });
      else this.#appended.add(identity);
    }
  }

  /** Vehicles of these positions whose newest position is not known yet. */
  unmoved(locations: readonly VehicleLocation[]): VehicleId[] {
    const ids = new Set(locations.map((location) => location.vehicleId));
    return [...ids].filter((id) => !this.#newest.has(id));
  }

  learn(rows: readonly NewestRow[]): void {
    for (const { vehicle_id: id, at, lat, lon, speed_kmh: speedKmh, region } of rows) {
      this.#newest.set(id, { identity: identityOf(id, at, lat, lon, speedKmh), previous: { lat, lon, region } });
    }
  }

  /** To be asked once for each position, in their order: of two that are the same, the second is the duplicate. */
  of({ vehicleId, at, lat, lon, speedKmh }: VehicleLocation): SavedLocation {
    const identity = identityOf(vehicleId, at, lat, lon, speedKmh);
    const newest = this.#newest.get(vehicleId);
    return {
      newest: newest?.identity === identity,
      duplicate: !this.#appended.delete(identity),
      previous: newest?.previous,
    };
  }
}

function previousOf({ previous_lat: lat, previous_lon: lon, previous_region: region }: SavedRow) {
  return lat === null || lon === null || region === null ? undefined : { lat, lon, region };
}

function identityOf(vehicleId: VehicleId, at: Date, lat: number, lon: number, speedKmh: number): string {
  return `${vehicleId} ${at.getTime()} ${lat} ${lon} ${speedKmh}`;
}
