/** Three nodes of a fleet, and somebody who writes to its database behind their back. */
import pg from 'pg';
import { compose } from '../../src/node/compose.js';
import { createFleet } from '../../src/node/fleet.js';
import { openFleetDatabase } from '../../src/node/fleet-database.js';
import { measureStaleness } from '../harness/foreign-writes.js';
import { PATIENT_DEADLINES, redisConfig } from '../subjects/fleet-config.js';

export interface ChangeFeedOptions {
  readonly redis: readonly string[];
  readonly postgres: string;
  readonly prefix: string;
}

const NODES = 3;
const VEHICLE = '7';
const FRESH_BOUND_MS = 30_000;

export async function open({ redis, postgres, prefix }: ChangeFeedOptions) {
  const database = openFleetDatabase(postgres);
  await database.migrate();
  const nodes = await Promise.all(
    Array.from({ length: NODES }, async () => {
      const { cache } = await compose({ redis: redisConfig(redis, prefix), deadlines: PATIENT_DEADLINES });
      const fleet = createFleet({ cache, repository: database.repository });
      return { cache, fleet, following: database.followChanges({ cache }) };
    }),
  );
  const somebody = new pg.Client({ connectionString: postgres });
  await somebody.connect();
  await somebody.query(
    `insert into vehicles (id, registration, type, model, city, operator_id, capacity_kg, active, updated_at)
      values ($1, 'MH01AA0001', 'truck', 'a truck', 'mumbai', 'operator-1', 1000, true, now())`,
    [VEHICLE],
  );
  await somebody.query(
    `insert into vehicle_statuses (vehicle_id, state, fuel_percent, odometer_km, updated_at)
      values ($1, 'parked', 50, 0, now())`,
    [VEHICLE],
  );
  let odometerKm = 0;

  return {
    /** How the nodes hear of it: `logical` or `outbox`. */
    transport: () => nodes.map(({ following }) => following.stats().transport).find((one) => one !== undefined),
    /** @returns of each node, the ms from the commit of a write to the beginning of its last stale read */
    async write(): Promise<readonly number[]> {
      odometerKm += 1;
      const expected = odometerKm;
      await Promise.all(nodes.map(({ fleet }) => fleet.vehicleStatus(VEHICLE)));
      return measureStaleness({
        commit: () =>
          somebody.query('update vehicle_statuses set odometer_km = $2, updated_at = now() where vehicle_id = $1', [
            VEHICLE,
            expected,
          ]),
        readers: nodes.map(
          ({ fleet }) =>
            async () =>
              (await fleet.vehicleStatus(VEHICLE))?.odometerKm === expected,
        ),
        boundMs: FRESH_BOUND_MS,
      });
    },
    async close(): Promise<void> {
      for (const { following, fleet, cache } of nodes) {
        await following.close();
        await fleet.close();
        await cache.close();
      }
      await somebody.end();
      await database.close();
    },
  };
}
