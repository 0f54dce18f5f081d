import type { FleetRepository, GeocodingApi, RoutesApi } from '../fleet/ports.js';
import { BatchedSource } from '../source/batched-source.js';
import { PostgresFleetRepository } from '../source/fleet-repository.js';
import { GeocodingClient } from '../source/geocoding-client.js';
import { migrate } from '../source/migrate.js';
import { PostgresPool } from '../source/postgres-pool.js';
import { RoutesClient } from '../source/routes-client.js';
import { type ChangeFollowing, type ChangeOptions, followChanges, forgetCity } from './change-feed.js';
import { systemChance, systemClock } from './system-clock.js';

/** The fleet's tables in PostgreSQL 15 or newer. Reads that come together become one statement. */
export interface FleetDatabase {
  readonly repository: FleetRepository;
  /** Statements sent so far. */
  readonly queries: number;
  /** Brings the tables up to date; safe to call from several nodes at once. @returns the migrations that were run */
  migrate(): Promise<readonly string[]>;
  /** Brings to a cache what others write to the tables, from where the city of the cache stopped. */
  followChanges(options: ChangeOptions): ChangeFollowing;
  /**
   * For a city that is not to follow changes any more: gives back what the database keeps for it.
   * @throws CacheError also while one of its nodes follows
   */
  forgetChanges(city: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens nothing yet: the first statement connects.
 * @param url `postgres://user:password@host:port/database`
 */
export function openFleetDatabase(url: string): FleetDatabase {
  const pool = new PostgresPool({ url, clock: systemClock });
  return {
    repository: new BatchedSource(systemClock, new PostgresFleetRepository(pool)),
    get queries() {
      return pool.queries;
    },
    migrate: () => migrate(url),
    followChanges: (options) => followChanges(url, options),
    forgetChanges: (city) => forgetCity(url, city),
    close: () => pool.close(),
  };
}

export interface ExternalApiOptions {
  readonly apiKey: string;
  /** Default: Google's. */
  readonly url?: string;
  /** Requests per minute that this process may send: its share of the quota. Default 3,000. */
  readonly perMinute?: number;
}

/** Google's Routes API, or what speaks like it at `url`. */
export function openRoutesApi(options: ExternalApiOptions): RoutesApi & { close(): Promise<void> } {
  return new RoutesClient({ ...options, clock: systemClock, chance: systemChance });
}

/** Google's Geocoding API, or what speaks like it at `url`. */
export function openGeocodingApi(options: ExternalApiOptions): GeocodingApi & { close(): Promise<void> } {
  return new GeocodingClient({ ...options, clock: systemClock, chance: systemChance });
}
