import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import type { Postgres } from '../../src/cli/servers/postgres.js';
import { forgetChanges } from '../../src/source/change-feed.js';
import { startOwnPostgres } from '../servers.js';
import {
  type ChangeDatabase,
  idsOf,
  openChangeDatabase,
  SOON,
  TestTarget,
  untilReading,
  writeLocation,
  writeStatus,
} from './change-readers.js';

const AT = '2026-11-05T10:00:00.123Z';
const LATER = '2026-11-05T10:00:30.456Z';

let streaming: Postgres;
let database: ChangeDatabase;
let target: TestTarget;

beforeAll(async () => {
  streaming = await startOwnPostgres();
}, 60_000);
afterAll(() => streaming.stop());

const SERVERS = {
  logical: () => streaming.url,
  outbox: () => inject('databaseUrl'),
} as const;

for (const transport of ['logical', 'outbox'] as const) {
  describe(`changes by ${transport === 'logical' ? 'logical replication' : 'an outbox'}`, () => {
    beforeEach(async () => {
      database = await openChangeDatabase(SERVERS[transport]());
      target = new TestTarget();
    });
    afterEach(() => database.close());

    it('are told as rows were and are, of every table but the history, and not those that were undone', async () => {
      const feed = database.open(target);
      await untilReading(feed);
      expect(feed.stats()).toMatchObject({ transport, startedOver: 1 });
      const { other } = database;
      await writeLocation(other, 7, AT);
      await writeLocation(other, 7, LATER, 19.5, '19.50:72.87');
      await other.query('update vehicles set active = false where id = 7');
      await other.query('begin');
      await writeStatus(other, 9);
      await other.query('rollback');
      await other.query(
        `insert into trips values ('t1', 7, 'a', 'b', 1, now(), now(), null);
        update trips set vehicle_id = 8 where id = 't1';
        delete from trips;
        insert into fuel_records values ('f1', 7, now(), 1, 1, 1);
        insert into maintenance_records values ('m1', 7, now(), 'brakes', null);
        insert into eway_bills values ('123456789012', 7, now(), 1, now());
        insert into vehicle_location_history values (7, now(), 1, 1, 1, null, true, 'x');
        truncate fuel_records;
        update vehicles set active = true where id = -1;`,
      );
      await writeStatus(other, 18);
      await expect.poll(() => target.statuses, SOON).toEqual(idsOf(18));
      const first = { vehicleId: '7', lat: 19.07, lon: 72.87, speedKmh: 40.5, headingDeg: undefined, engineOn: true };
      const [was, is] = [
        { ...first, at: new Date(AT), region: '19.07:72.87' },
        { ...first, lat: 19.5, at: new Date(LATER), region: '19.50:72.87' },
      ];
      expect(target.changes.filter(({ table }) => table === 'vehicle_locations')).toStrictEqual([
        { table: 'vehicle_locations', before: undefined, after: { vehicleId: '7', location: was } },
        {
          table: 'vehicle_locations',
          before: { vehicleId: '7', location: was },
          after: { vehicleId: '7', location: is },
        },
      ]);
      const others = target.changes.filter(({ table }) => table !== 'vehicle_locations');
      expect(others).toStrictEqual([
        {
          table: 'vehicles',
          before: { vehicleId: '7', active: true },
          after: { vehicleId: '7', active: false },
        },
        { table: 'trips', before: undefined, after: { vehicleId: '7' } },
        { table: 'trips', before: { vehicleId: '7' }, after: { vehicleId: '8' } },
        { table: 'trips', before: { vehicleId: '8' }, after: undefined },
        { table: 'fuel_records', before: undefined, after: { vehicleId: '7' } },
        { table: 'maintenance_records', before: undefined, after: { vehicleId: '7' } },
        { table: 'eway_bills', before: undefined, after: { vehicleId: '7' } },
        { table: 'fuel_records', before: undefined, after: undefined },
        { table: 'vehicle_statuses', before: undefined, after: { vehicleId: '18' } },
      ]);
    });

    it('go on where the last reader stopped, without starting over', async () => {
      const first = database.open(target);
      await untilReading(first);
      await writeStatus(database.other, 1);
      await expect.poll(() => target.statuses, SOON).toEqual(idsOf(1));
      await first.close();
      await writeStatus(database.other, 2, 300);
      const next = new TestTarget();
      await untilReading(database.open(next));
      // Told twice is as good: the first reader may have been stopped before it had noted what it had done.
      await expect.poll(() => new Set([...idsOf(1), ...next.statuses]), SOON).toEqual(idsOf(1, 300));
      expect(next.startedOver).toBe(0);
    });

    it('all come while the database ends the sessions of the reader again and again', async () => {
      const feed = database.open(target);
      await untilReading(feed);
      const writer = await database.connect();
      for (let id = 1; id <= 200; id++) {
        await writeStatus(writer, id);
        if (id % 40 !== 0) continue;
        await untilReading(feed);
        const { reconnects } = feed.stats();
        await database.other.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name = 'fleetflow-cache changes'`,
        );
        await expect.poll(() => feed.stats().reconnects, SOON).toBeGreaterThan(reconnects);
      }
      await expect.poll(() => target.statuses, SOON).toEqual(idsOf(1, 200));
      expect(target.startedOver).toBe(1);
    });

    it('are told to the next reader when this one stops before their invalidations are out', async () => {
      const feed = database.open(target);
      await untilReading(feed);
      let release = () => {};
      target.hold = new Promise((resolve) => {
        release = resolve;
      });
      await writeStatus(database.other, 1);
      await writeStatus(database.other, 2);
      await expect.poll(() => target.offered, SOON).toBeGreaterThan(0);
      // Time for whoever would acknowledge by the clock.
      await database.other.query('select pg_sleep(1.5)');
      target.failure = new Error('this node is going down');
      release();
      await feed.close();
      const next = new TestTarget();
      await untilReading(database.open(next));
      await expect.poll(() => next.statuses, SOON).toEqual(idsOf(1, 2));
      expect(next.startedOver).toBe(0);
      expect(target.statuses).toEqual(idsOf(0, -1));
    });

    it('are told again until they are taken', async () => {
      const feed = database.open(target);
      await untilReading(feed);
      target.failure = new Error('not now');
      await writeStatus(database.other, 1);
      await expect.poll(() => feed.stats().lastError, SOON).toBe('not now');
      target.failure = undefined;
      await expect.poll(() => target.statuses, SOON).toEqual(idsOf(1));
    });

    it('of a transaction that commits after later ones are not skipped', async () => {
      const feed = database.open(target);
      await untilReading(feed);
      const slow = await database.connect();
      await slow.query('begin');
      await writeStatus(slow, 1);
      await writeStatus(database.other, 2);
      if (transport === 'outbox') await expect.poll(() => feed.stats().lagRows, SOON).toBe(1);
      else await expect.poll(() => target.statuses, SOON).toEqual(idsOf(2));
      await slow.query('commit');
      await expect.poll(() => target.statuses, SOON).toEqual(idsOf(1, 2));
    });

    it('are read by one node of a city; another takes over when it goes', async () => {
      const first = database.open(target);
      await untilReading(first);
      const standby = new TestTarget();
      const second = database.open(standby);
      await expect.poll(() => second.stats().state, SOON).toBe('standby');
      await writeStatus(database.other, 1);
      await expect.poll(() => target.statuses, SOON).toEqual(idsOf(1));
      expect(standby.offered).toBe(0);
      await first.close();
      await writeStatus(database.other, 2);
      await expect.poll(() => standby.statuses.has('2'), SOON).toBe(true);
      expect(standby.startedOver).toBe(0);
      expect(first.stats().state).toBe('closed');
    });

    it('are told to each city on its own', async () => {
      const delhi = new TestTarget();
      await Promise.all([database.open(target), database.open(delhi, { city: 'new-delhi' })].map(untilReading));
      await writeStatus(database.other, 1, 3);
      await expect.poll(() => target.statuses, SOON).toEqual(idsOf(1, 3));
      await expect.poll(() => delhi.statuses, SOON).toEqual(idsOf(1, 3));
    });

    it('come in pieces when they are many, in the order of the commits', async () => {
      const feed = database.open(target);
      await untilReading(feed);
      for (let round = 0; round < 3; round++) await writeStatus(database.other, 1, 500);
      await database.other.query('update vehicle_statuses set fuel_percent = 1 where vehicle_id > 100');
      await expect.poll(() => target.changes.length, SOON).toBe(1_900);
      expect(feed.stats().changes).toBe(1_900);
    });

    it('of a city that has left cost the database nothing', async () => {
      const feed = database.open(target);
      await untilReading(feed);
      await feed.close();
      const forgotten = async () =>
        forgetChanges(database.url, 'mumbai').then(
          () => true,
          () => false,
        );
      await expect.poll(forgotten, SOON).toBe(true);
      await writeStatus(database.other, 1);
      const { rows } = await database.other.query(
        `select (select count(*) from fleetflow_changes)
          + (select count(*) from pg_replication_slots where database = current_database()) as kept`,
      );
      expect(rows).toEqual([{ kept: '0' }]);
      const next = new TestTarget();
      await untilReading(database.open(next));
      expect(next.startedOver).toBe(1);
    });

    it('are not waited for longer than it takes to give up when the database cannot be reached', async () => {
      const url = new URL(database.url);
      url.port = '1';
      const feed = database.open(target, { url: url.href });
      await expect.poll(() => feed.stats().lastError, SOON).toContain('PostgreSQL cannot be reached');
      await feed.close();
      expect(feed.stats().state).toBe('closed');
    });
  });
}
