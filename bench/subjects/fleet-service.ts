/** What a service of the platform asks of its fleet, whoever keeps the answers. */
import type { VehicleId, VehicleLocation } from '../../src/fleet/domain.js';
import type { PositionReport } from '../../src/node/demo/protocol.js';
import type { Read } from '../../src/node/demo/read-mix.js';

/** Arrival times are left out: they come from an API outside, and may not be kept. */
export type Question = Exclude<Read, { readonly kind: 'eta' }>;

export interface FleetService {
  /** Where the others reach it; empty where nodes need not know each other. */
  readonly address: string;
  /** Resolves when it knows so many nodes. */
  whenJoined(nodes: number): Promise<void>;
  /**
   * @returns the positions in the answer, if it is one of positions
   * @throws Error when something that exists is not in the answer
   */
  ask(question: Question): Promise<readonly VehicleLocation[]>;
  /** @returns the positions that are the newest of their vehicle now, in the database and in what is kept of it */
  record(reports: readonly PositionReport[]): Promise<readonly VehicleLocation[]>;
  /** Brings what is asked for of these vehicles into what keeps it, or does nothing. */
  warm(ids: readonly VehicleId[]): Promise<void>;
  counts(): ServiceCounts;
  close(): Promise<void>;
}

export interface ServiceCounts {
  /** Keys asked for, and which level had them. */
  readonly keys: number;
  readonly local: number;
  readonly distributed: number;
  readonly peer: number;
  /** Statements of those who read. */
  readonly statements: number;
}

export interface FleetSettings {
  readonly redis: readonly string[];
  readonly postgres: string;
  readonly prefix: string;
  readonly seeds: readonly string[];
}

/** How many entries each keeps in memory: the default of ours. */
export const LOCAL_ENTRIES = 10_000;
/** All servers and nodes share one machine. */
export const CONNECTIONS_MAX = 6;
/** What takes longer has failed. */
export const DEADLINE_MS = 10_000;

/** The positions of those who were asked for, all of them. */
export function allOf(
  found: ReadonlyMap<VehicleId, VehicleLocation>,
  ids: readonly VehicleId[],
): readonly VehicleLocation[] {
  const missing = ids.filter((id) => found.get(id)?.vehicleId !== id);
  if (missing.length > 0) throw new Error(`the position of ${missing.length} of ${ids.length} vehicles is not there`);
  return [...found.values()];
}
