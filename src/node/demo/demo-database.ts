import type { LoadCall } from '../../core/cache.js';
import { regionOf } from '../../fleet/region.js';
import { PostgresFleetRepository } from '../../source/fleet-repository.js';
import { callOf } from '../../source/load-call.js';
import { migrate } from '../../source/migrate.js';
import { PostgresPool } from '../../source/postgres-pool.js';
import { systemClock } from '../system-clock.js';
import { DEMO_CITIES, type DemoCity, type DemoFleet } from './demo-fleet.js';
import { seededChance } from './seeded-random.js';
import { makeVehicleRecords, type VehicleIdentity, type VehicleRecords } from './vehicle-records.js';

/** Vehicles per round of statements. */
const BATCH = 500;
const ROUND_BOUND_MS = 30_000;
/** A tracker that sleeps reports every ten minutes: nobody's last position is older. */
const LAST_REPORT_MAX_MS = 600_000;
/** Vehicles that come later belong to an operator of their own. */
const LATE_OPERATOR = 999;

const CHANGE_STATUSES = {
  name: 'demo-change-statuses',
  text: 'update vehicle_statuses set odometer_km = $2 where vehicle_id = any($1::numeric[]) returning vehicle_id',
};
const CHANGE_VEHICLES = {
  name: 'demo-change-vehicles',
  text: 'update vehicles set model = $2 where id = any($1::numeric[]) returning id',
};

/** The database of a demo: brings it up to date, fills it, and enters vehicles that turn up later. */
export class DemoDatabase {
  readonly #url: string;
  readonly #pool: PostgresPool;
  readonly #repository: PostgresFleetRepository;
  readonly #signal: AbortSignal;

  constructor(url: string, signal: AbortSignal) {
    this.#url = url;
    this.#signal = signal;
    this.#pool = new PostgresPool({
      url,
      clock: systemClock,
      connectionsMax: 2,
      statementTimeoutMs: ROUND_BOUND_MS,
      applicationName: 'fleetflow-cache demo',
    });
    this.#repository = new PostgresFleetRepository(this.#pool);
  }

  /** @returns the migrations that were run */
  migrate(): Promise<readonly string[]> {
    return migrate(this.#url, { signal: this.#signal });
  }

  /** Enters the fleet, with a last position of each vehicle and what has been recorded of it. */
  async seed(fleet: DemoFleet, onProgress: (vehicles: number) => void): Promise<void> {
    const chance = seededChance(fleet.plan.seed + 1);
    const nowMs = systemClock.wallMs();
    for (let from = 0; from < fleet.vehicles.length; from += BATCH) {
      const batch = fleet.vehicles.slice(from, from + BATCH);
      await this.#save(batch.map((vehicle) => makeVehicleRecords(vehicle, nowMs, chance)));
      const locations = batch.map(({ id, lat, lon }) => ({
        vehicleId: id,
        lat,
        lon,
        speedKmh: 0,
        headingDeg: undefined,
        engineOn: false,
        at: new Date(nowMs - Math.ceil(chance.next() * LAST_REPORT_MAX_MS)),
        region: regionOf(lat, lon),
      }));
      await this.#repository.saveLocations(locations, this.#round());
      onProgress(from + batch.length);
    }
  }

  /** Enters vehicles that reported before anybody had. */
  async enter(vehicles: readonly { readonly id: string; readonly registration: string }[]): Promise<void> {
    const city = DEMO_CITIES[0] as DemoCity;
    const known: VehicleIdentity[] = vehicles.map((vehicle) => ({ ...vehicle, city, operator: LATE_OPERATOR }));
    const nowMs = systemClock.wallMs();
    await this.#save(known.map((vehicle) => makeVehicleRecords(vehicle, nowMs, seededChance(Number(vehicle.id)))));
  }

  /** As somebody would who knows nothing of the cache: with SQL, past all of it. @returns the rows that were changed */
  async changeRows(
    vehicleIds: readonly string[],
    to: { readonly odometerKm: number; readonly model: string },
  ): Promise<number> {
    const call = callOf(systemClock, this.#round());
    const statuses = await this.#pool.query(CHANGE_STATUSES, [vehicleIds, to.odometerKm], call);
    const vehicles = await this.#pool.query(CHANGE_VEHICLES, [vehicleIds, to.model], call);
    return statuses.length + vehicles.length;
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  async #save(records: readonly VehicleRecords[]): Promise<void> {
    const call = this.#round();
    const repository = this.#repository;
    await repository.saveVehicles(
      records.map(({ vehicle }) => vehicle),
      call,
    );
    await repository.saveStatuses(
      records.map(({ status }) => status),
      call,
    );
    await repository.saveTrips(
      records.flatMap(({ trips }) => trips),
      call,
    );
    await repository.saveFuelRecords(
      records.flatMap(({ fuel }) => fuel),
      call,
    );
    await repository.saveMaintenanceRecords(
      records.flatMap(({ maintenance }) => maintenance),
      call,
    );
  }

  #round(): LoadCall {
    return { signal: this.#signal, remainingMs: ROUND_BOUND_MS };
  }
}
