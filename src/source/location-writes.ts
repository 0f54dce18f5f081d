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
 *
 * The answer is short, for decoding rows is what costs this process most: the vehicles that moved, and which positions
 * had been there.
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
      returning vehicle_id, previous_lat, previous_lon, previous_region
    )
    select null::integer as duplicate, vehicle_id, previous_lat, previous_lon, previous_region from moved
    union all
    select n::integer, null, null, null, null from given where (${IDENTITY}) not in (select ${IDENTITY} from appended)`,
};

/** The newest positions of vehicles that a batch did not move. */
export const NEWEST_LOCATIONS: Statement = {
  name: 'newest-locations',
  text: `select ${IDENTITY}, region from vehicle_locations where vehicle_id = any($1::numeric[])`,
};

/** A vehicle that moved, or the number, from 1, of a position that had been saved before. */
export type SavedRow =
  | {
      readonly duplicate: null;
      readonly vehicle_id: VehicleId;
      readonly previous_lat: number | null;
      readonly previous_lon: number | null;
      readonly previous_region: string | null;
    }
  | { readonly duplicate: number };

export interface NewestRow {
  readonly vehicle_id: VehicleId;
  readonly at: Date;
  readonly lat: number;
  readonly lon: number;
  readonly speed_kmh: number;
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

/** Tells for each position of a batch what became of it, from what the two statements say. */
export class LocationVerdicts {
  readonly #locations: readonly VehicleLocation[];
  readonly #identities: readonly string[];
  /** Numbers, from 0, of positions that had been saved before, or came before in this batch. */
  readonly #duplicates: Set<number>;
  readonly #newest = new Map<VehicleId, { readonly identity: string; readonly previous: SavedLocation['previous'] }>();

  constructor(locations: readonly VehicleLocation[], rows: readonly SavedRow[]) {
    this.#locations = locations;
    this.#identities = locations.map(({ vehicleId, at, lat, lon, speedKmh }) =>
      identityOf(vehicleId, at, lat, lon, speedKmh),
    );
    this.#duplicates = repeatedOf(this.#identities);
    const latest = latestOf(locations);
    for (const row of rows) {
      if (row.duplicate !== null) {
        this.#duplicates.add(row.duplicate - 1);
        continue;
      }
      const identity = this.#identities[latest.get(row.vehicle_id) ?? -1] ?? '';
      this.#newest.set(row.vehicle_id, { identity, previous: previousOf(row) });
    }
  }

  /** Vehicles that did not move: what their newest positions are is to be asked, and told to `learn`. */
  get unmoved(): readonly VehicleId[] {
    const ids = new Set(this.#locations.map((location) => location.vehicleId));
    return [...ids].filter((id) => !this.#newest.has(id));
  }

  learn(rows: readonly NewestRow[]): void {
    for (const { vehicle_id: id, at, lat, lon, speed_kmh: speedKmh, region } of rows) {
      this.#newest.set(id, { identity: identityOf(id, at, lat, lon, speedKmh), previous: { lat, lon, region } });
    }
  }

  /** In the order of the positions. */
  all(): SavedLocation[] {
    return this.#locations.map(({ vehicleId }, index) => {
      const newest = this.#newest.get(vehicleId);
      return {
        newest: newest?.identity === this.#identities[index],
        duplicate: this.#duplicates.has(index),
        previous: newest?.previous,
      };
    });
  }
}

/** Where the position of each vehicle is that the statement picks: the latest, of those at one time the first. */
function latestOf(locations: readonly VehicleLocation[]): ReadonlyMap<VehicleId, number> {
  const latest = new Map<VehicleId, number>();
  const timesMs = locations.map((location) => location.at.getTime());
  for (const [index, { vehicleId }] of locations.entries()) {
    const known = latest.get(vehicleId);
    if (known === undefined || (timesMs[index] ?? 0) > (timesMs[known] ?? 0)) latest.set(vehicleId, index);
  }
  return latest;
}

function repeatedOf(identities: readonly string[]): Set<number> {
  const seen = new Set<string>();
  const repeated = new Set<number>();
  for (const [index, identity] of identities.entries()) {
    if (seen.has(identity)) repeated.add(index);
    else seen.add(identity);
  }
  return repeated;
}

function previousOf(row: Extract<SavedRow, { readonly duplicate: null }>): SavedLocation['previous'] {
  const { previous_lat: lat, previous_lon: lon, previous_region: region } = row;
  return lat === null || lon === null || region === null ? undefined : { lat, lon, region };
}

function identityOf(vehicleId: VehicleId, at: Date, lat: number, lon: number, speedKmh: number): string {
  return `${vehicleId} ${at.getTime()} ${lat} ${lon} ${speedKmh}`;
}
