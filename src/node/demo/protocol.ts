import type { CacheStats } from '../../core/cache.js';
import type { LocationUpdate } from '../../fleet/domain.js';
import type { FleetStats } from '../../fleet/stats.js';
import type { HistogramSnapshot } from '../../metrics/histogram.js';
import type { MetricsSnapshot } from '../../metrics/snapshot.js';
import type { ChangeFollowingStats } from '../change-feed.js';
import type { CacheConfig } from '../config.js';
import type { Health } from '../level-watch.js';
import type { DemoFleetPlan } from './demo-fleet.js';

/**
 * What the demo's process and its node processes say to each other, as JSON over the channel that `fork` gives them.
 * Every request has one answer with its id.
 */

/** A position of one vehicle, in plain data. */
export type PositionReport = LocationUpdate & { readonly vehicleId: string; readonly at: number };

/** A position as a node answers it, in plain data. */
export interface FoundPosition {
  readonly vehicleId: string;
  readonly at: number;
  readonly lat: number;
  readonly lon: number;
  readonly speedKmh: number;
  readonly engineOn: boolean;
}

/** What a node says of a vehicle's details and status. */
export interface FoundRecords {
  readonly vehicleId: string;
  readonly model: string | undefined;
  readonly odometerKm: number | undefined;
}

export interface DemoNodeConfig {
  /** As the table calls it: `node-1`. */
  readonly name: string;
  readonly cache: CacheConfig;
  readonly databaseUrl: string;
  readonly routes: { readonly url: string; readonly apiKey: string };
  readonly fleet: DemoFleetPlan;
}

export type NodeRequest =
  /** Comes first. */
  | { readonly kind: 'start'; readonly config: DemoNodeConfig }
  /** Brings the vehicles in service into the cache. */
  | { readonly kind: 'warm-up' }
  /** Takes in positions, in this order. */
  | { readonly kind: 'record'; readonly reports: readonly PositionReport[] }
  /** Reads from now on at this pace; 0 stops, and the answer comes when no read is under way any more. */
  | { readonly kind: 'read'; readonly readsPerSecond: number }
  /** These vehicles have a position now, and may be asked for. */
  | { readonly kind: 'know'; readonly vehicleIds: readonly string[] }
  | { readonly kind: 'locate'; readonly vehicleIds: readonly string[] }
  /** What is known of the details and the status of these. */
  | { readonly kind: 'describe'; readonly vehicleIds: readonly string[] }
  | { readonly kind: 'sample' }
  /** Gives everything back; nothing comes after its answer. */
  | { readonly kind: 'stop' };

export interface RecordedCounts {
  readonly newest: number;
  readonly history: number;
  readonly duplicates: number;
  readonly ghosts: number;
  readonly jumps: number;
  readonly rejected: number;
  readonly clamped: number;
}

/** What a node knows about itself at one moment. Counts are since its start. */
export interface NodeSample {
  readonly snapshot: MetricsSnapshot;
  readonly stats: CacheStats;
  readonly fleet: FleetStats;
  readonly changes: ChangeFollowingStats;
  readonly health: Health;
  readonly reads: ReadCounts;
  /** Statements that reads sent to the database; a batch is one. */
  readonly databaseReads: number;
  readonly residentBytes: number;
}

/** Questions to the fleet, each of which may read many keys. */
export interface ReadCounts {
  readonly asked: number;
  readonly failed: number;
  /** Of those that failed: questions that this node had never answered, so that no level need have known. */
  readonly failedCold: number;
  /** What went wrong the first few times. */
  readonly errors: readonly string[];
  /** By kind of question, from the call to the answer. */
  readonly durations: Readonly<Record<string, HistogramSnapshot>>;
}

export interface NodeAnswers {
  readonly start: { readonly nodeId: string };
  readonly 'warm-up': { readonly vehicles: number; readonly failed: number };
  readonly record: RecordedCounts;
  readonly read: null;
  readonly know: null;
  /** Of the vehicles that were found. */
  readonly locate: readonly FoundPosition[];
  readonly describe: readonly FoundRecords[];
  readonly sample: NodeSample;
  readonly stop: null;
}

/** From the demo to a node. */
export interface NodeCall {
  readonly id: number;
  readonly request: NodeRequest;
}

/** From a node to the demo. */
export type NodeMessage =
  | { readonly kind: 'answer'; readonly id: number; readonly answer: NodeAnswers[NodeRequest['kind']] }
  | { readonly kind: 'failure'; readonly id: number; readonly error: string };
