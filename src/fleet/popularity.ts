import type { VehicleId } from './domain.js';
import { HOUR_MS } from './ist-calendar.js';

/** What was asked this long ago counts half: in the morning the day before still outweighs the night. */
const HALF_LIFE_MS = 12 * HOUR_MS;
/** Less than one question of four days ago: forgotten. */
const SCORE_MIN = 2 ** -8;

/** What is left of a score after so long. */
export function decay(elapsedMs: number): number {
  return 2 ** (-Math.max(0, elapsedMs) / HALF_LIFE_MS);
}

/**
 * How much each vehicle is asked for: the sum of its questions, each weighing half as much every 12 h. Keeps at most
 * `max`, those that are asked for most.
 */
export class Popularity {
  readonly #max: number;
  readonly #scores = new Map<VehicleId, number>();
  #atMs: number | undefined;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#scores.size;
  }

  /** Takes note of what was asked since the last time. @param times questions by vehicle, as of `nowMs` */
  add(times: Iterable<readonly [id: VehicleId, times: number]>, nowMs: number): void {
    this.#age(nowMs);
    for (const [id, asked] of times) this.#scores.set(id, (this.#scores.get(id) ?? 0) + asked);
    if (this.#scores.size <= this.#max) return;
    for (const [id] of this.#sorted().slice(this.#max)) this.#scores.delete(id);
  }

  /** Those that are asked for most, most first. */
  top(count: number): readonly (readonly [id: VehicleId, score: number])[] {
    return this.#sorted().slice(0, count);
  }

  #age(nowMs: number): void {
    const left = decay(nowMs - (this.#atMs ?? nowMs));
    this.#atMs = nowMs;
    if (left === 1) return;
    for (const [id, score] of this.#scores) {
      if (score * left < SCORE_MIN) this.#scores.delete(id);
      else this.#scores.set(id, score * left);
    }
  }

  #sorted(): [VehicleId, number][] {
    return [...this.#scores].sort(([, a], [, b]) => b - a);
  }
}
