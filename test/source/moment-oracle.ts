/**
 * Which of several reports of one device time counts: what the statements of `src/source/moment-writes.ts` decide in the
 * database, told once more in a few lines for whoever compares. Exports: `chosenOf`, `latestFrame`, `FRAME_MAX`.
 */
import type { VehicleLocation } from '../../src/fleet/domain.js';

/** Frame numbers of a tracker run from 1 to this, and then from 1 again (AIS-140). */
export const FRAME_MAX = 999_999;

/** A position, and what is known of those who reported it. */
export interface Claim {
  readonly location: VehicleLocation;
  readonly history: boolean;
  readonly frame: number | undefined;
}

/** Live before history; the latest frame; and where the device does not number them, the larger content. */
export function chosenOf<T extends Claim>(rivals: readonly T[]): T {
  const live = rivals.filter(({ history }) => !history);
  const candidates = live.length > 0 ? live : rivals;
  const latest = latestFrame(candidates.flatMap(({ frame }) => (frame === undefined ? [] : [frame])));
  return candidates
    .filter(({ frame }) => frame === latest)
    .reduce((best, other) => (compareContent(best.location, other.location) >= 0 ? best : other));
}

/**
 * The last of frame numbers that belong together, though they may have begun again at 1 in between: on the circle of all
 * numbers it is the one that the longest empty stretch follows.
 */
export function latestFrame(frames: readonly number[]): number | undefined {
  const sorted = [...new Set(frames)].sort((a, b) => a - b);
  let latest: number | undefined;
  let longest = -1;
  sorted.forEach((frame, i) => {
    const next = sorted[i + 1] ?? (sorted[0] as number) + FRAME_MAX;
    if (next - frame < longest) return;
    longest = next - frame;
    latest = frame;
  });
  return latest;
}

function compareContent(a: VehicleLocation, b: VehicleLocation): number {
  return a.lat - b.lat || a.lon - b.lon || a.speedKmh - b.speedKmh;
}
