import { randomBytes } from 'node:crypto';
import type { Chance } from '../core/chance.js';
import type { Clock } from '../core/clock.js';
import { Instants } from './instants.js';
import { SharedTimers } from './shared-timers.js';

/** Longest delay that a Node timer takes; beyond it the timer would fire at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** Delays for which it does not matter when they end a little later. Deadlines, most of which are never reached. */
const SHARED_FROM_MS = 100;
const SHARED_TO_MS = 60_000;

const sharedTimers = new SharedTimers();
const instants = new Instants();

/** The monotonic clock of `systemClock`, not always exact: see `Instants`. */
export const recentMs = instants.recentMs;

/** The clocks of this machine. */
export const systemClock: Clock = Object.freeze({
  monotonicMs: instants.exactMs,
  wallMs: () => Date.now(),
  uncertaintyMs: () => 0,
  schedule(delayMs: number, run: () => void) {
    if (delayMs >= SHARED_FROM_MS && delayMs <= SHARED_TO_MS) return sharedTimers.schedule(delayMs, run);
    const timer = setTimeout(run, Math.min(Math.max(0, delayMs), TIMER_MAX_MS));
    timer.unref();
    return () => clearTimeout(timer);
  },
});

export const systemChance: Chance = Object.freeze({ next: () => Math.random() });

/** A node's id for as long as this process lives: 48 random bits, so that no two nodes share one. */
export function randomOrigin(): number {
  return randomBytes(6).readUIntBE(0, 6);
}

/** A number that those who choose the keys do not know. */
export function randomSeed(): number {
  return randomBytes(4).readInt32BE(0);
}
