import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import {
  type ChangeDatabase,
  idsOf,
  openChangeDatabase,
  SOON,
  TestTarget,
  untilReading,
  writeStatus,
} from './change-readers.js';

let database: ChangeDatabase;
let target: TestTarget;

describe('changes by an outbox', () => {
  beforeEach(async () => {
    database = await openChangeDatabase(inject('databaseUrl'));
    target = new TestTarget();
  });
  afterEach(() => database.close());

  it('are said to come that way, and why', async () => {
    const feed = database.open(target);
    await untilReading(feed);
    expect(feed.stats()).toMatchObject({ transport: 'outbox', whyOutbox: 'wal_level is replica' });
  });

  it('are recorded for who may write the table and knows nothing of the outbox', async () => {
    await untilReading(database.open(target));
    const { other } = database;
    await other.query(`create role clerk; grant all on vehicle_statuses to clerk; set role clerk`);
    await writeStatus(other, 3);
    await other.query('reset role; drop owned by clerk; drop role clerk');
    await expect.poll(() => target.statuses, SOON).toEqual(idsOf(3));
  });

  it('are removed when all cities have read them', async () => {
    const delhi = new TestTarget();
    await Promise.all([database.open(target), database.open(delhi, { city: 'delhi' })].map(untilReading));
    await writeStatus(database.other, 1, 500);
    await expect.poll(() => delhi.statuses.size + target.statuses.size, SOON).toBe(1_000);
    await writeStatus(database.other, 1);
    const kept = async () =>
      Number((await database.other.query('select count(*) from fleetflow_changes')).rows[0].count);
    await expect.poll(kept, SOON).toBeLessThanOrEqual(1);
  });

  it('that a full outbox did not take are made up for by floors, once more when their transactions have ended', async () => {
    const first = database.open(target);
    await untilReading(first);
    await first.close();
    const { other } = database;
    await other.query(`select setval('fleetflow_changes_id_seq', 3000000)`);
    const slow = await database.connect();
    await slow.query('begin');
    await writeStatus(slow, 1);
    await writeStatus(other, 2);
    const next = new TestTarget();
    await untilReading(database.open(next));
    await expect.poll(() => next.startedOver, SOON).toBe(1);
    await writeStatus(other, 3);
    await slow.query('commit');
    await expect.poll(() => next.startedOver, SOON).toBe(2);
    await expect.poll(() => next.statuses, SOON).toEqual(idsOf(3));
  });

  it('of a city that was away for days are not kept for it; it starts over', async () => {
    const away = database.open(target);
    const here = new TestTarget();
    await Promise.all([away, database.open(here, { city: 'delhi' })].map(untilReading));
    await away.close();
    const { other } = database;
    await other.query(
      `update fleetflow_change_readers set read_at = now() - interval '2 days' where reader = 'mumbai'`,
    );
    await writeStatus(other, 1);
    await expect.poll(() => here.statuses, SOON).toEqual(idsOf(1));
    const kept = async () => Number((await other.query('select count(*) from fleetflow_changes')).rows[0].count);
    await expect.poll(kept, SOON).toBe(0);
    const back = new TestTarget();
    await untilReading(database.open(back));
    expect(back.startedOver).toBe(1);
  });
});
