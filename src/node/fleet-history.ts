import { HistoryRetention } from '../source/history-retention.js';
import { PostgresPool } from '../source/postgres-pool.js';
import { systemClock } from './system-clock.js';

const DAY_MS = 86_400_000;
/** What the back end of AIS-140 keeps. */
const KEPT_DAYS = 90;

/** The removal of old positions, while it goes on. */
export interface HistoryKeeping {
  /** Positions that were removed so far. */
  readonly removed: number;
  /** Why the last attempt failed; undefined when it did not. */
  readonly failure: Error | undefined;
  /** Resolves when nothing of it runs any more. */
  stop(): Promise<void>;
}

/**
 * Keeps the history of positions for so many days and removes what is older, slowly and on a connection of its own. One
 * node of a database is enough.
 * @param url `postgres://user:password@host:port/database`
 * @throws CacheError `invalid-options` when `days` is not more than 0
 */
export function keepHistory(url: string, { days = KEPT_DAYS }: { readonly days?: number } = {}): HistoryKeeping {
  const pool = new PostgresPool({
    url,
    clock: systemClock,
    connectionsMax: 1,
    applicationName: 'fleetflow-cache history',
  });
  const retention = new HistoryRetention({ pool, clock: systemClock, keptMs: days * DAY_MS });
  return {
    get removed() {
      return retention.removed;
    },
    get failure() {
      return retention.failure;
    },
    stop: async () => {
      await retention.stop();
      await pool.close();
    },
  };
}
