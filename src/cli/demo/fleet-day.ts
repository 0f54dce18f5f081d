/** How a fleet spends its day, in India Standard Time. */

/** How often a tracker reports (AIS-140 asks for at least this much). */
export const PING_INTERVAL_MS = { moving: 10_000, idling: 60_000, off: 600_000 } as const;

/**
 * Share of vehicles that move, by hour. Measured: 0.08 at 02 h and 0.44 at 15 h; between them the course of the day of
 * real trucks, which wake between 06 and 08 h and thin out after 20 h.
 */
const MOVING_BY_HOUR: readonly number[] = [
  0.1, 0.09, 0.08, 0.08, 0.11, 0.17, 0.27, 0.33, 0.35, 0.37, 0.38, 0.39, 0.38, 0.41, 0.43, 0.44, 0.43, 0.42, 0.4, 0.36,
  0.3, 0.25, 0.18, 0.13,
];

/** Of the vehicles that stand, those with their engine on. */
const IDLING_SHARE_OF_STANDING = 0.28;

const HOUR_MS = 3_600_000;
/** UTC+05:30, without daylight saving. */
const IST_AHEAD_MS = 5.5 * HOUR_MS;

/** Shares of vehicles by what they do at an instant, in ms since the epoch; they add up to 1. */
export function activityShares(atMs: number): Readonly<Record<keyof typeof PING_INTERVAL_MS, number>> {
  const hours = ((atMs + IST_AHEAD_MS) / HOUR_MS) % 24;
  const hour = Math.floor(hours);
  const [from = 0, to = 0] = [MOVING_BY_HOUR[hour], MOVING_BY_HOUR[(hour + 1) % 24]];
  const moving = from + (to - from) * (hours - hour);
  const idling = (1 - moving) * IDLING_SHARE_OF_STANDING;
  return { moving, idling, off: 1 - moving - idling };
}
