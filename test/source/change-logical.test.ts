import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Postgres } from '../../src/cli/servers/postgres.js';
import { startOwnPostgres } from '../servers.js';
import {
  type ChangeDatabase,
  idsOf,
  openChangeDatabase,
  SOON,
  TestTarget,
  untilReading,
  writeStatus,
} from './change-readers.js';
import { startWire } from './wire.js';

let streaming: Postgres;
let database: ChangeDatabase;
let target: TestTarget;

beforeAll(async () => {
  streaming = await startOwnPostgres();
}, 60_000);
afterAll(() => streaming.stop());

describe('changes by logical replication', () => {
  beforeEach(async () => {
    database = await openChangeDatabase(streaming.url);
    target = new TestTarget();
  });
  afterEach(() => database.close());

  const positions = async (): Promise<string[]> => {
    const { rows } = await database.other.query<{ at: string }>(
      `select confirmed_flush_lsn::text as at from pg_replication_slots where database = current_database()`,
    );
    return rows.map(({ at }) => at);
  };

  it('are given up for floors, aloud, when the slot is further behind than it may be', async () => {
    const first = database.open(target);
    await untilReading(first);
    await first.close();
    await writeStatus(database.other, 1, 500);
    const next = new TestTarget();
    const feed = database.open(next, { lagMaxBytes: 10_000 });
    await untilReading(feed);
    expect(next.startedOver).toBe(1);
    await writeStatus(database.other, 7);
    await expect.poll(() => next.statuses, SOON).toEqual(idsOf(7));
  });

  it('start over when the server has thrown the slot away', async () => {
    const first = database.open(target);
    await untilReading(first);
    await first.close();
    await expect
      .poll(
        () =>
          database.other
            .query(
              `select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database()`,
            )
            .then(
              () => true,
              () => false,
            ),
        SOON,
      )
      .toBe(true);
    const next = new TestTarget();
    await untilReading(database.open(next));
    expect(next.startedOver).toBe(1);
  });

  it('start over again when this node stopped before the floors were out', async () => {
    target.failure = new Error('no floors today');
    const feed = database.open(target);
    await expect.poll(() => feed.stats().lastError, SOON).toBe('no floors today');
    await feed.close();
    const next = new TestTarget();
    await untilReading(database.open(next));
    expect(next.startedOver).toBe(1);
  });

  it('are read by another node when this one has frozen, and holds on to its connections', async () => {
    const wire = await startWire(database.url);
    try {
      await untilReading(database.open(target, { url: wire.url }));
      wire.freeze();
      const next = new TestTarget();
      const feed = database.open(next);
      await expect.poll(() => feed.stats().state, { ...SOON, timeout: 60_000 }).toBe('reading');
      await writeStatus(database.other, 5);
      await expect.poll(() => next.statuses, SOON).toEqual(idsOf(5));
      expect(next.startedOver).toBe(0);
    } finally {
      wire.thaw();
      await wire.close();
    }
  });

  it('let the server forget what others write, so that a quiet fleet keeps no log', async () => {
    const feed = database.open(target);
    await untilReading(feed);
    const before = await positions();
    await database.other.query('create table noise as select generate_series(1, 1000)');
    await expect.poll(positions, SOON).not.toEqual(before);
    await expect.poll(() => feed.stats().lagBytes, SOON).toBeLessThan(10_000);
    expect(feed.stats().serverKeepsBytes).toBeUndefined();
  });

  it('come by an outbox where the role may not replicate, which says why', async () => {
    const { other } = database;
    const owner = `plain_${database.url.slice(-12)}`;
    await other.query(`create role ${owner} login password 'plain'`);
    // It owns what it migrated, and nothing else.
    await other.query(`do $$ declare one record; begin
      for one in select oid::regclass as name from pg_class
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'S') loop
        begin
          execute format('alter table %s owner to ${owner}', one.name);
        exception when others then null;
        end;
      end loop;
      grant create on schema public to ${owner};
      alter function fleetflow_record_change() owner to ${owner};
    end $$`);
    const url = new URL(database.url);
    url.username = owner;
    url.password = 'plain';
    const feed = database.open(target, { url: url.href });
    await untilReading(feed);
    expect(feed.stats()).toMatchObject({ transport: 'outbox', whyOutbox: 'the role may not replicate' });
    await writeStatus(other, 4);
    await expect.poll(() => target.statuses, SOON).toEqual(idsOf(4));
    await feed.close();
    await other.query(`reassign owned by ${owner} to current_user; drop owned by ${owner}; drop role ${owner}`);
  });
});
