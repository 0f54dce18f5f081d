import type { Cache, Keyspace } from '../core/cache.js';
import type { CallOptions } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { hashKey } from '../core/key.js';
import type { StandardSchema } from '../core/standard-schema.js';
import type { VehicleId } from './domain.js';
import { DAY_MS } from './ist-calendar.js';
import { templates } from './keys.js';
import { decay, Popularity } from './popularity.js';

/** What one node was asked for, as the others find it in the cache. */
interface DemandSummary {
  readonly nodeId: string;
  /** When it was true, in ms since the epoch. */
  readonly atMs: number;
  /** Those that are asked for most, most first, and how much. */
  readonly ids: readonly VehicleId[];
  readonly scores: readonly number[];
}

/**
 * Places for summaries. Nodes come and go with ids that nobody can guess, so each takes the place that its id falls on. Two
 * that fall on one write over each other: each of them is asked for much the same.
 */
const SLOTS = 16;
const SLOT_IDS = Array.from({ length: SLOTS }, (_, slot) => String(slot));
/** Vehicles in a summary: 60 to 100 KB. */
const TOP = 4_096;
/** Vehicles that a node ranks. */
const RANKED_MAX = 50_000;
/** A fleet that was down for longer than this begins anew. */
const LIFETIME = { ttl: 3 * DAY_MS, staleIfError: 0 };

/**
 * What the city is asked for, kept in the cache so that a node that starts knows what to load first. Each node puts there
 * once a minute what it was asked for itself, and adds up what all have put there.
 */
export class DemandBoard {
  readonly #clock: Clock;
  readonly #nodeId: string;
  readonly #slot: string;
  readonly #summaries: Keyspace<string, DemandSummary>;
  readonly #own = new Popularity(RANKED_MAX);
  #isTakenOver = false;

  constructor(cache: Cache, clock: Clock) {
    this.#clock = clock;
    this.#nodeId = cache.stats().nodeId;
    this.#slot = String(hashKey(this.#nodeId) % SLOTS);
    this.#summaries = cache.keyspace<typeof templates.demand, DemandSummary>({
      name: 'fleet-demand',
      key: templates.demand,
      lifetime: LIFETIME,
      schema: SUMMARY,
    });
  }

  /** Puts up what was asked of this node since the last time. */
  async publish(asked: Iterable<readonly [id: VehicleId, times: number]>, call: CallOptions): Promise<void> {
    const atMs = this.#clock.wallMs();
    if (!this.#isTakenOver) await this.#takeOver(call);
    this.#own.add(asked, atMs);
    if (this.#own.size === 0) return;
    const top = this.#own.top(TOP);
    const summary = {
      nodeId: this.#nodeId,
      atMs,
      ids: top.map(([id]) => id),
      scores: top.map(([, score]) => score),
    };
    await this.#summaries.set(this.#slot, summary, call);
  }

  /** How much the city asks for each vehicle; those that are missing, not that anybody knew. */
  async scores(call: CallOptions): Promise<ReadonlyMap<VehicleId, number>> {
    const nowMs = this.#clock.wallMs();
    const scores = new Map<VehicleId, number>();
    const summaries = await this.#summaries.getMany(SLOT_IDS, call);
    for (const summary of summaries.values()) {
      for (const [id, score] of aged(summary, nowMs)) scores.set(id, (scores.get(id) ?? 0) + score);
    }
    return scores;
  }

  /** What lies in our place was put there by a node that is gone: what it knew goes on counting. */
  async #takeOver(call: CallOptions): Promise<void> {
    const summary = await this.#summaries.get(this.#slot, call);
    if (summary !== undefined) this.#own.add(aged(summary, this.#clock.wallMs()), this.#clock.wallMs());
    this.#isTakenOver = true;
  }
}

function* aged({ ids, scores, atMs }: DemandSummary, nowMs: number): Iterable<readonly [VehicleId, number]> {
  const left = decay(nowMs - atMs);
  for (const [at, id] of ids.entries()) yield [id, (scores[at] as number) * left];
}

const SUMMARY: StandardSchema<DemandSummary> = {
  '~standard': {
    version: 1,
    vendor: 'fleetflow-cache',
    validate: (value) =>
      isSummary(value) ? { value } : { issues: [{ message: 'not a list of vehicles with their scores' }] },
  },
};

function isSummary(value: unknown): value is DemandSummary {
  const { nodeId, atMs, ids, scores } = (value ?? {}) as Partial<Record<keyof DemandSummary, unknown>>;
  return (
    typeof nodeId === 'string' &&
    Number.isFinite(atMs) &&
    Array.isArray(ids) &&
    Array.isArray(scores) &&
    ids.length === scores.length &&
    ids.length <= TOP &&
    ids.every((id) => typeof id === 'string') &&
    scores.every((score) => Number.isFinite(score) && score >= 0)
  );
}
