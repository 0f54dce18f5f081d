/** Which of the answers were older than what had been acknowledged before the question was asked. */

/** Positions, by column: of which vehicle, of when, and when it was acknowledged (or asked for). */
export interface Sightings {
  readonly vehicle: readonly number[];
  readonly positionMs: readonly number[];
  readonly atMs: readonly number[];
}

export interface Staleness {
  readonly looked: number;
  /** Older than one that had been acknowledged. */
  readonly stale: number;
  /** Older than one that had been acknowledged more than `lateMs` before. */
  readonly late: number;
  /** How long, at most, a newer one had been acknowledged. */
  readonly worstMs: number;
}

/** What a vehicle's newest acknowledged position was, from when on. */
interface Step {
  readonly atMs: number;
  readonly positionMs: number;
}

/** @param written of all processes together, in any order */
export function stalenessOf(written: readonly Sightings[], read: readonly Sightings[], lateMs: number): Staleness {
  const steps = stepsOf(written);
  let looked = 0;
  let stale = 0;
  let late = 0;
  let worstMs = 0;
  for (const { vehicle, positionMs, atMs } of read) {
    vehicle.forEach((which, i) => {
      looked += 1;
      const newer = firstNewer(steps.get(which) ?? [], positionMs[i] ?? 0);
      const sinceMs = newer === undefined ? 0 : (atMs[i] ?? 0) - newer.atMs;
      if (sinceMs <= 0) return;
      stale += 1;
      if (sinceMs > lateMs) late += 1;
      worstMs = Math.max(worstMs, sinceMs);
    });
  }
  return { looked, stale, late, worstMs };
}

function stepsOf(written: readonly Sightings[]): ReadonlyMap<number, readonly Step[]> {
  const all: [vehicle: number, step: Step][] = written.flatMap(({ vehicle, positionMs, atMs }) =>
    vehicle.map((which, i): [number, Step] => [which, { atMs: atMs[i] ?? 0, positionMs: positionMs[i] ?? 0 }]),
  );
  all.sort(([, a], [, b]) => a.atMs - b.atMs);
  const steps = new Map<number, Step[]>();
  for (const [vehicle, step] of all) {
    const own = steps.get(vehicle);
    if (own === undefined) steps.set(vehicle, [step]);
    else if ((own.at(-1)?.positionMs ?? 0) < step.positionMs) own.push(step);
  }
  return steps;
}

/** Both columns of the steps rise, so the first that is newer had been acknowledged longest. */
function firstNewer(steps: readonly Step[], positionMs: number): Step | undefined {
  let low = 0;
  let high = steps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((steps[middle]?.positionMs ?? 0) > positionMs) high = middle;
    else low = middle + 1;
  }
  return steps[low];
}
