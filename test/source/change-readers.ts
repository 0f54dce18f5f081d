/** What tests of change feeds work with: a database of their own, others who write to it, and a target that remembers. */
import { Client } from 'pg';
import { expect } from 'vitest';
import { createDatabase } from '../../src/cli/servers/postgres.js';
import { systemChance, systemClock } from '../../src/node/system-clock.js';
import { ChangeFeed } from '../../src/source/change-feed.js';
import type { ChangeTarget, RowChange } from '../../src/source/change-records.js';
import { migrate } from '../../src/source/migrate.js';

/** Enough for a machine that is busy with other things; nothing is measured by it. */
export const SOON = { timeout: 15_000, interval: 20 };

/** Takes in changes, and can be told to fail or to take its time. */
export class TestTarget implements ChangeTarget {
  readonly changes: RowChange[] = [];
  /** Rows that it was given, whether or not it took them. */
  offered = 0;
  startedOver = 0;
  failure: Error | undefined;
  hold: Promise<void> | undefined;

  begin(): void {}

  async apply(changes: readonly RowChange[]): Promise<void> {
    this.offered += changes.length;
    await this.hold;
    if (this.failure !== undefined) throw this.failure;
    this.changes.push(...changes);
  }

  async startOver(): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    this.startedOver += 1;
  }

  /** The vehicles whose statuses were told of. */
  get statuses(): Set<string> {
    return new Set(
      this.changes.flatMap(({ table, after }) =>
        table === 'vehicle_statuses' && after !== undefined ? [after.vehicleId] : [],
      ),
    );
  }
}

export interface ChangeDatabase {
  readonly url: string;
  /** Somebody who knows nothing of us. */
  readonly other: Client;
  open(target: ChangeTarget, options?: OpenOptions): ChangeFeed;
  /** One more who writes. */
  connect(): Promise<Client>;
  close(): Promise<void>;
}

export interface OpenOptions {
  readonly url?: string;
  readonly city?: string;
  readonly lagMaxBytes?: number;
}

/** A migrated database on the server of `serverUrl`, with vehicles 1 to 500. */
export async function openChangeDatabase(serverUrl: string): Promise<ChangeDatabase> {
  const { url, drop } = await createDatabase(serverUrl);
  await migrate(url);
  const clients: Client[] = [];
  const feeds: ChangeFeed[] = [];
  const connect = async (): Promise<Client> => {
    const client = new Client({ connectionString: url });
    await client.connect();
    clients.push(client);
    return client;
  };
  const other = await connect();
  await other.query(
    `insert into vehicles select n, 'MH12AB1234', 'truck', 'Prima', 'mumbai', 'op-1', 28000, true, now()
    from generate_series(1, 500) as n`,
  );
  return {
    url,
    other,
    connect,
    open: (target, options = {}) => {
      const feed = new ChangeFeed({
        url,
        city: 'mumbai',
        target,
        clock: systemClock,
        chance: systemChance,
        ...options,
      });
      feeds.push(feed);
      return feed;
    },
    close: async () => {
      await Promise.all(feeds.map((feed) => feed.close()));
      await dropSlots(other);
      await Promise.all(clients.map((client) => client.end()));
      await drop();
    },
  };
}

/** A database with a slot cannot be dropped. The server takes a moment to see that the reader has gone. */
async function dropSlots(client: Client): Promise<void> {
  await expect
    .poll(async () => {
      await client.query(
        `select pg_drop_replication_slot(slot_name) from pg_replication_slots
          where database = current_database() and not active`,
      );
      return (await client.query('select from pg_replication_slots where database = current_database()')).rowCount;
    }, SOON)
    .toBe(0);
}

export async function untilReading(feed: ChangeFeed): Promise<void> {
  await expect.poll(() => `${feed.stats().state} ${feed.stats().lastError ?? ''}`, SOON).toContain('reading');
}

/** Gives vehicles a status, as somebody does who knows nothing of us. */
export async function writeStatus(client: Client, from: number, to = from): Promise<void> {
  await client.query(
    `insert into vehicle_statuses select n, 'moving', 50, 1000, now() from generate_series($1::integer, $2::integer) as n
    on conflict (vehicle_id) do update set odometer_km = vehicle_statuses.odometer_km + 1`,
    [from, to],
  );
}

export function idsOf(from: number, to = from): Set<string> {
  return new Set(Array.from({ length: to - from + 1 }, (_, i) => String(from + i)));
}

export function writeLocation(client: Client, id: number, at: string, lat = 19.07, region = '19.07:72.87') {
  return client.query(
    `insert into vehicle_locations (vehicle_id, lat, lon, speed_kmh, heading_deg, engine_on, at, region)
    values ($1, $3, 72.87, 40.5, null, true, $2, $4)
    on conflict (vehicle_id) do update set at = excluded.at, lat = excluded.lat, region = excluded.region`,
    [id, at, lat, region],
  );
}
