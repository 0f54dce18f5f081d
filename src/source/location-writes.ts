/**
 * Saving positions in one statement: append them to the history, then move the newest position of each vehicle
 * forward. Four things make it right while other batches run:
 *
 * - The fence stands in the database. `on conflict do update ... where excluded.at > at` waits for whoever holds the
 *   row and then compares with what that one left behind, so a batch that comes late by any route changes nothing.
 * - Where a vehicle was before is kept in its row by the update itself and comes back from there. Read beside the
 *   update, in the same statement, it would be what the statement's snapshot saw, which another batch may have
 *   replaced since.
 * - Rows are locked in one order by every batch: history before newest positions (which `moved` makes sure of by asking
 *   how many were appended), and each in order of vehicle. Two batches of the same vehicles wait for each other and
 *   never in a circle.
 * - A vehicle whose newest position is no older than all that came of it is left alone: times never go back, so what
 *   the snapshot says of that stays true. Its row is not locked, and history waits for no live position, nor the other
 *   way round.
 *
 * Several positions of one vehicle in a batch: all are appended, and only the latest may become the newest (one
 * statement cannot update a row twice). Which one it is of several of one time is not decided here but by
 * `SETTLE_LOCATIONS` (moment-writes.ts), for the vehicles that `LocationVerdicts` names.
 *
 * The answer is short, for decoding rows is what costs this process most: the vehicles that moved, and which positions
 * had been there.
 */
import { type LocationRow, toLocation } from './fleet-reads.js';
import type { ReportedLocation, SavedLocation, VehicleId, VehicleLocation } from './fleet-records.js';
import type { Statement } from './postgres-pool.js';
import { dateToTimestamp } from './postgres-types.js';

const COLUMNS = 'vehicle_id, at, lat, lon, speed_kmh, heading_deg, engine_on, region';
const IDENTITY = 'vehicle_id, at, lat, lon, speed_kmh';

/**
 * Two reports of one vehicle, time, place and speed are one position. What else they say is put together in a way that
 * does not depend on their order: `merged` within the batch, `do update` with what is there.
 */
export const SAVE_LOCATIONS: Statement = {
  name: 'save-locations',
  text: `with given as (
      select * from unnest($1::numeric[], $2::timestamptz[], $3::float8[], $4::float8[], $5::float8[], $6::float8[],
        $7::boolean[], $8::text[], $9::boolean[], $10::integer[]) with ordinality as given(${COLUMNS}, history, frame, n)
    ), merged as (
      select ${IDENTITY}, max(heading_deg) as heading_deg, bool_or(engine_on) as engine_on, min(region) as region,
        bool_and(history) as history, max(frame) as frame
      from given group by ${IDENTITY}
    ), appended as (
      insert into vehicle_location_history as known (${COLUMNS}, history, frame)
      select ${COLUMNS}, history, frame from merged order by ${IDENTITY}
      on conflict (${IDENTITY}) do update set heading_deg = greatest(known.heading_deg, excluded.heading_deg),
        engine_on = known.engine_on or excluded.engine_on, history = known.history and excluded.history,
        frame = greatest(known.frame, excluded.frame), revision = known.revision + 1
      where (known.heading_deg, known.engine_on, known.history, known.frame) is distinct from
        (greatest(known.heading_deg, excluded.heading_deg), known.engine_on or excluded.engine_on,
          known.history and excluded.history, greatest(known.frame, excluded.frame))
      returning ${IDENTITY}, revision
    ), latest as (
      select distinct on (vehicle_id) ${COLUMNS} from merged
      where (select count(*) from appended) >= 0
      order by vehicle_id, at desc
    ), moved as (
      insert into vehicle_locations as newest (${COLUMNS})
      select ${COLUMNS} from latest
      where at > coalesce((select at from vehicle_locations where vehicle_id = latest.vehicle_id), '-infinity')
      order by vehicle_id
      on conflict (vehicle_id) do update set at = excluded.at, lat = excluded.lat, lon = excluded.lon,
        speed_kmh = excluded.speed_kmh, heading_deg = excluded.heading_deg, engine_on = excluded.engine_on,
        region = excluded.region, revision = 1, previous_lat = newest.lat, previous_lon = newest.lon,
        previous_region = newest.region
      where excluded.at > newest.at
      returning vehicle_id, previous_lat, previous_lon, previous_region
    )
    select null::integer as duplicate, vehicle_id, previous_lat, previous_lon, previous_region from moved
    union all
    select n::integer, null, null, null, null from given
    where (${IDENTITY}) not in (select ${IDENTITY} from appended where revision = 1)`,
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

/** The newest position of a vehicle, and where it was before that one was chosen. */
export type SettledRow = LocationRow & {
  readonly previousLat: number;
  readonly previousLon: number;
  readonly previousRegion: string;
};

export function saveLocationsValues(locations: readonly ReportedLocation[]): readonly unknown[][] {
  return [
    locations.map((location) => location.vehicleId),
    locations.map((location) => dateToTimestamp(location.at)),
    locations.map((location) => location.lat),
    locations.map((location) => location.lon),
    locations.map((location) => location.speedKmh),
    locations.map((location) => location.headingDeg ?? null),
    locations.map((location) => location.engineOn),
    locations.map((location) => location.region),
    locations.map((location) => location.history === true),
    locations.map((location) => location.frame ?? null),
  ];
}

interface Newest {
  readonly identity: string;
  readonly previous: SavedLocation['previous'];
  /** As the database has it, where that may not be just what was given. */
  readonly stored: VehicleLocation | undefined;
}

const UNKNOWN: Newest = { identity: '', previous: undefined, stored: undefined };

/** Tells for each position of a batch what became of it, from what the two statements say. */
export class LocationVerdicts {
  readonly #locations: readonly VehicleLocation[];
  readonly #identities: readonly string[];
  /** Numbers, from 0, of positions that had been saved before, or came before in this batch. */
  readonly #duplicates: Set<number>;
  readonly #latest: ReadonlyMap<VehicleId, Latest>;
  readonly #newest = new Map<VehicleId, Newest>();

  constructor(locations: readonly VehicleLocation[], rows: readonly SavedRow[]) {
    this.#locations = locations;
    this.#identities = locations.map(identityOf);
    this.#duplicates = repeatedOf(this.#identities);
    this.#latest = latestOf(locations);
    for (const row of rows) {
      if (row.duplicate !== null) {
        this.#duplicates.add(row.duplicate - 1);
        continue;
      }
      const identity = this.#identities[this.#latest.get(row.vehicle_id)?.index ?? -1] ?? '';
      this.#newest.set(row.vehicle_id, { identity, previous: previousOf(row), stored: undefined });
    }
  }

  /**
   * Vehicles that did not move, and those of which several reports have the latest time: what their newest positions
   * are is to be asked, and told to `learn`. With the latest time that came of each.
   */
  get open(): readonly (readonly [VehicleId, Date])[] {
    const open: (readonly [VehicleId, Date])[] = [];
    for (const [id, { at, isAlone }] of this.#latest) if (!isAlone || !this.#newest.has(id)) open.push([id, at]);
    return open;
  }

  learn(rows: readonly SettledRow[]): void {
    for (const { previousLat: lat, previousLon: lon, previousRegion: region, ...row } of rows) {
      const stored = toLocation(row);
      const id = stored.vehicleId;
      const moved = this.#newest.get(id);
      const previous = moved === undefined ? { lat, lon, region } : moved.previous;
      this.#newest.set(id, { identity: identityOf(stored), previous, stored });
    }
  }

  /** In the order of the positions. */
  all(): SavedLocation[] {
    return this.#locations.map(({ vehicleId, at }, index) => {
      const { identity, previous, stored } = this.#newest.get(vehicleId) ?? UNKNOWN;
      const verdict = {
        newest: identity === this.#identities[index],
        duplicate: this.#duplicates.has(index),
        previous,
      };
      return stored?.at.getTime() === at.getTime() ? { ...verdict, stored } : verdict;
    });
  }
}

interface Latest {
  readonly index: number;
  readonly at: Date;
  /** No other report of this vehicle in the batch has its time. */
  readonly isAlone: boolean;
}

/** Where the position of each vehicle is that may become the newest. */
function latestOf(locations: readonly VehicleLocation[]): ReadonlyMap<VehicleId, Latest> {
  const latest = new Map<VehicleId, Latest>();
  for (const [index, { vehicleId, at }] of locations.entries()) {
    const known = latest.get(vehicleId);
    if (known === undefined || at > known.at) latest.set(vehicleId, { index, at, isAlone: true });
    else if (at.getTime() === known.at.getTime()) latest.set(vehicleId, { ...known, isAlone: false });
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

function identityOf({ vehicleId, at, lat, lon, speedKmh }: VehicleLocation): string {
  return `${vehicleId} ${at.getTime()} ${lat} ${lon} ${speedKmh}`;
}
