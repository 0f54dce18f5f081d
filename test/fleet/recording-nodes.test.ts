import fc from 'fast-check';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Cache } from '../../src/core/cache.js';
import type { LocationUpdate, VehicleLocation } from '../../src/fleet/domain.js';
import type { Fleet } from '../../src/fleet/fleet.js';
import { createCache } from '../../src/node/compose.js';
import { createFleet, type FleetDatabase, openFleetDatabase } from '../../src/node/fleet.js';
import { createOwnDatabase, makeOwnPrefix } from '../servers.js';
import { chosenOf } from '../source/moment-oracle.js';

interface Node {
  readonly cache: Cache;
  readonly database: FleetDatabase;
  readonly fleet: Fleet;
}

const NODES = 3;
const NOW_MS = Math.floor(Date.now() / 1_000) * 1_000 - 60_000;

let database: Awaited<ReturnType<typeof createOwnDatabase>>;
let admin: Client;
let nodes: Node[];
/** Each run has vehicles of its own. */
let vehicles = 0;

beforeAll(async () => {
  database = await createOwnDatabase();
  admin = new Client({ connectionString: database.url });
  await admin.connect();
  const redis = { nodes: inject('redisClusterNodes'), prefix: makeOwnPrefix(), timeout: 5_000 };
  nodes = await Promise.all(
    Array.from({ length: NODES }, async () => {
      const cache = await createCache({ redis, deadlines: { read: 20_000, write: 20_000 } });
      const ownDatabase = openFleetDatabase(database.url);
      return { cache, database: ownDatabase, fleet: createFleet({ cache, repository: ownDatabase.repository }) };
    }),
  );
  await nodes[0]?.database.migrate();
}, 60_000);

afterAll(async () => {
  for (const { fleet, cache, database: ownDatabase } of nodes) {
    await fleet.close();
    await cache.close();
    await ownDatabase.close();
  }
  await admin.end();
  await database.drop();
});

const said = fc.record({
  vehicle: fc.integer({ min: 0, max: 1 }),
  second: fc.integer({ min: 0, max: 1 }),
  place: fc.integer({ min: 0, max: 3 }),
  frame: fc.constantFrom<number | undefined>(undefined, 1, 2, 3, 250_000, 500_000, 999_998, 999_999),
  history: fc.boolean(),
});
type Said = typeof said extends fc.Arbitrary<infer T> ? T : never;

/** The same reports in an order of their own, cut into calls that go to nodes, at once or one after the other. */
const story = fc.array(said, { minLength: 1, maxLength: 14 }).chain((reports) =>
  fc.record({
    reports: fc.constant(reports),
    order: fc.shuffledSubarray(reports, { minLength: reports.length }),
    cuts: fc.array(fc.record({ size: fc.integer({ min: 1, max: 4 }), node: fc.integer({ min: 0, max: NODES - 1 }) }), {
      minLength: 14,
      maxLength: 14,
    }),
    atOnce: fc.boolean(),
  }),
);

function updateOf({ vehicle, second, place, frame, history }: Said): LocationUpdate {
  // Places beside each other: none is a jump.
  const lat = 19.0765 + place / 1_000;
  const at = NOW_MS + second * 1_000;
  return { vehicleId: vehicles + vehicle, lat, lon: 72.8777, speedKmh: 30, engineOn: true, at, frame, history };
}

/** What the reports say of one place and time, put together as the database does. */
function expectedLat(reports: readonly Said[]): number | undefined {
  if (reports.length === 0) return undefined;
  const latest = Math.max(...reports.map(({ second }) => second));
  const byPlace = new Map<number, Said>();
  for (const report of reports.filter(({ second }) => second === latest)) {
    const same = byPlace.get(report.place);
    const frames = [same?.frame, report.frame].flatMap((frame) => (frame === undefined ? [] : [frame]));
    const frame = frames.length === 0 ? undefined : Math.max(...frames);
    byPlace.set(report.place, { ...report, frame, history: report.history && same?.history !== false });
  }
  const claims = [...byPlace.values()].map((report) => {
    const { lat, lon } = updateOf(report);
    const location = { vehicleId: '', lat, lon, speedKmh: 30, engineOn: true, headingDeg: undefined, region: '' };
    return { ...report, location: { ...location, at: new Date(NOW_MS) } };
  });
  return chosenOf(claims).location.lat;
}

describe('reports of one device time on three nodes', () => {
  it('end in one position, in the database and on every node, whatever their order and their calls', async () => {
    await fc.assert(
      fc.asyncProperty(story, async ({ reports, order, cuts, atOnce }) => {
        vehicles += 2;
        const calls: Promise<unknown>[] = [];
        for (let i = 0, from = 0; from < order.length; i++) {
          const { size, node } = cuts[i] as (typeof cuts)[number];
          const call = nodes[node]?.fleet.recordLocations(order.slice(from, from + size).map(updateOf));
          calls.push(call as Promise<unknown>);
          if (!atOnce) await call;
          from += size;
        }
        await Promise.all(calls);
        for (const vehicle of [0, 1]) {
          const lat = expectedLat(reports.filter((report) => report.vehicle === vehicle));
          const id = String(vehicles + vehicle);
          const { rows } = await admin.query<{ lat: number }>(
            'select lat from vehicle_locations where vehicle_id = $1',
            [id],
          );
          expect(rows[0]?.lat).toBe(lat);
          for (const { cache, fleet } of nodes) {
            // The feed tells the others; it is not waited for by who writes.
            const cached = () => cache.get<VehicleLocation>(`vehicle:location:${id}`);
            await expect.poll(async () => (await cached())?.lat, { timeout: 10_000 }).toBe(lat);
            expect((await fleet.vehicleLocation(id))?.lat).toBe(lat);
          }
        }
      }),
      { numRuns: 100, endOnFailure: true },
    );
  }, 120_000);
});

describe('positions of one moment', () => {
  it('are one statement, from however many calls they come', async () => {
    const node = nodes[0] as Node;
    const before = node.database.queries;
    const calls = Array.from({ length: 300 }, (_, i) =>
      node.fleet.recordLocation({ ...updateOf({ vehicle: 0, second: 0, place: 0 } as Said), vehicleId: 1_000_000 + i }),
    );
    const recorded = await Promise.all(calls);
    expect(recorded.every(({ outcome }) => outcome === 'newest')).toBe(true);
    expect(node.database.queries - before).toBe(1);
  });
});
