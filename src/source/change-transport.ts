import type { Clock } from '../core/clock.js';
import type { ChangeCounters, ChangeTarget } from './change-records.js';
import type { ChangeSession } from './change-session.js';
import type { Wake } from './change-wake.js';

/** What every way of reading changes works with. */
export interface TransportParts {
  readonly clock: Clock;
  /** The city, by whose name the position is kept. */
  readonly reader: string;
  readonly target: ChangeTarget;
  readonly counters: ChangeCounters;
  /** The session that has the right to read. */
  readonly session: ChangeSession;
  readonly wake: Wake;
  readonly signal: AbortSignal;
  /** Why reading must end: the session is gone. */
  failure(): Error | undefined;
}

/** A way of reading changes. */
export interface Transport {
  /** Makes what is needed in the database, and raises floors where nobody knows what was missed. */
  prepare(): Promise<void>;
  /** Reads until something fails, and throws that. */
  run(): Promise<never>;
}
