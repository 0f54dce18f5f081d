/** Two ways to put load on something that answers later. Both run in the process that asks. */
import { Histogram, type HistogramSnapshot } from '../../src/metrics/histogram.js';

/** Asks number `n`; rejects when the answer is not the right one. */
export type Ask = (n: number) => Promise<void>;

/** A closed loop: so many are under way at any time, the next one leaves when one is answered. @returns answers per second */
export async function closedLoop(inFlight: number, ms: number, ask: Ask): Promise<number> {
  const startedMs = performance.now();
  const endMs = startedMs + ms;
  let asked = 0;
  const one = async (): Promise<void> => {
    while (performance.now() < endMs) await ask(asked++);
  };
  await Promise.all(Array.from({ length: inFlight }, one));
  return (asked * 1_000) / (performance.now() - startedMs);
}

export interface OpenLoopResult {
  /** From the instant at which each should have left, by the schedule, to its answer. */
  readonly latencies: HistogramSnapshot;
  readonly perSecond: number;
}

/** Of what a closed loop reaches. Nearer to it an open loop measures the queue, which has no end. */
const SUSTAINED = 0.8;

/** The rate for an open loop: what is expected, or what can be kept up if that is less. */
export function openRate(expectedPerSecond: number, fastestPerSecond: number): number {
  return Math.min(expectedPerSecond, Math.floor(SUSTAINED * fastestPerSecond));
}

/** Beyond it the one who is asked does not keep up at all, and there is nothing to measure. */
const UNDER_WAY_MAX = 100_000;
/** A timer may come this much late: what is due sooner is waited for in turns of the event loop. */
const TIMER_LATE_MS = 2;

/**
 * An open loop: they leave by the clock, `perSecond` of them, whether or not the ones before were answered, as users do.
 * Whatever holds up the asking or the answering counts for everybody who should have been served in the meantime.
 * @throws Error when too many are under way
 */
export async function openLoop(perSecond: number, ms: number, ask: Ask): Promise<OpenLoopResult> {
  const latencies = new Histogram();
  const everyMs = 1_000 / perSecond;
  const total = Math.floor(ms / everyMs);
  const startedMs = performance.now();
  let asked = 0;
  let answered = 0;
  await new Promise<void>((resolve, reject) => {
    const leave = (n: number): void => {
      const dueMs = startedMs + n * everyMs;
      ask(n).then(() => {
        latencies.record(performance.now() - dueMs);
        answered += 1;
        if (answered === total) resolve();
      }, reject);
    };
    const turn = (): void => {
      const dueCount = Math.min(total, Math.floor((performance.now() - startedMs) / everyMs) + 1);
      while (asked < dueCount) leave(asked++);
      if (asked - answered > UNDER_WAY_MAX) reject(new Error(`more than ${UNDER_WAY_MAX} are under way`));
      else if (asked < total) waitFor(startedMs + asked * everyMs - performance.now());
    };
    const waitFor = (ms: number): void => {
      if (ms > 2 * TIMER_LATE_MS) setTimeout(turn, ms - TIMER_LATE_MS);
      else setImmediate(turn);
    };
    turn();
  });
  return { latencies: latencies.snapshot(), perSecond: (total * 1_000) / (performance.now() - startedMs) };
}
