import type { VehicleId, VehicleLocation } from './fleet-records.js';

/** The tables whose changes invalidate something, with their key and the vehicle. History is only appended. */
export const CHANGED_TABLES = {
  vehicles: { key: 'id', vehicle: 'id' },
  vehicle_statuses: { key: 'vehicle_id', vehicle: 'vehicle_id' },
  vehicle_locations: { key: 'vehicle_id', vehicle: 'vehicle_id' },
  trips: { key: 'id', vehicle: 'vehicle_id' },
  fuel_records: { key: 'id', vehicle: 'vehicle_id' },
  maintenance_records: { key: 'id', vehicle: 'vehicle_id' },
  eway_bills: { key: 'id', vehicle: 'vehicle_id' },
} as const;

export type ChangedTable = keyof typeof CHANGED_TABLES;

/** What is known of a row before or after it was changed. */
export interface ChangedRow {
  readonly vehicleId: VehicleId;
  /** Of a row of `vehicles`. */
  readonly active?: boolean;
  /** Of a row of `vehicle_locations`. */
  readonly location?: VehicleLocation;
}

/** A row that somebody inserted (no `before`), changed or deleted (no `after`). With neither, the table was emptied. */
export interface RowChange {
  readonly table: ChangedTable;
  readonly before: ChangedRow | undefined;
  readonly after: ChangedRow | undefined;
}

/**
 * Whoever is told of changes. A change may come twice, and never in another order than that of the commits for one row.
 * Each method resolves when what it is to do is done for certain, and not before: then the change is never told again.
 */
export interface ChangeTarget {
  /** Reading begins here. Somebody else may have read until now. */
  begin(): void;
  apply(changes: readonly RowChange[]): Promise<void>;
  /** Nobody knows what was changed: it may be anything. */
  startOver(): Promise<void>;
}

export type ChangeTransport = 'logical' | 'outbox';

export interface ChangeFeedStats {
  /**
   * - `connecting`: to the database, also again after a failure
   * - `standby`: another node of the city reads
   * - `reading`: this one does
   */
  readonly state: 'connecting' | 'standby' | 'reading' | 'closed';
  /** How changes come; undefined before this node has read for the first time. */
  readonly transport: ChangeTransport | undefined;
  /** Why it is not logical replication, when it is not. */
  readonly whyOutbox: string | undefined;
  /** Rows that were changed, inserted or deleted, as told to this node: the same one more than once after a failure. */
  readonly changes: number;
  /** Times that all that was cached was given up, because nobody could say what had been changed. */
  readonly startedOver: number;
  /** Times that reading ended and was begun again, in this node. */
  readonly reconnects: number;
  /** Bytes of the database's log that are not acknowledged, as last measured by the node that reads. */
  readonly lagBytes: number | undefined;
  /** Rows of the outbox that are not read, and the age of the oldest in ms. */
  readonly lagRows: number | undefined;
  readonly lagMs: number | undefined;
  /** What the server keeps at most for a slot that nobody reads; undefined without a bound: it may fill the disk. */
  readonly serverKeepsBytes: number | undefined;
  readonly lastError: string | undefined;
}

/** The same while it is counted. */
export type ChangeCounters = { -readonly [K in keyof ChangeFeedStats]: ChangeFeedStats[K] };

/** A vehicle's position as a row says it; undefined when something is missing or is no number, time or text. */
export function toChangedLocation(vehicleId: VehicleId, of: (column: string) => unknown): VehicleLocation | undefined {
  const numbers = [of('lat'), of('lon'), of('speed_kmh')].map(Number) as [number, number, number];
  const heading = of('heading_deg');
  const at = instantOf(String(of('at')));
  const region = of('region');
  const isWhole = numbers.every(Number.isFinite) && !Number.isNaN(at.getTime()) && typeof region === 'string';
  if (!isWhole) return undefined;
  const [lat, lon, speedKmh] = numbers;
  const headingDeg = heading === null || heading === undefined ? undefined : Number(heading);
  const location = { vehicleId, lat, lon, speedKmh, headingDeg, engineOn: isTrue(of('engine_on')), at, region };
  const revision = Number(of('revision'));
  return revision > 1 ? { ...location, revision } : location;
}

/** `2026-11-05 10:20:30.123+00`, as a session in UTC writes it, or the ISO form that JSON has. */
function instantOf(text: string): Date {
  return new Date(text.replace(' ', 'T').replace(/[+-]\d\d$/, '$&:00'));
}

/** As JSON says it, or the text form of PostgreSQL. */
export function isTrue(value: unknown): boolean {
  return value === true || value === 't';
}
