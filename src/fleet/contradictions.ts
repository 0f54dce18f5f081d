import type { VehicleLocation } from './domain.js';

/** Frame numbers of a tracker run from 1 to this, and then from 1 again (AIS-140). */
export const FRAME_MAX = 999_999;

/** A position among others of one call. */
export interface Claim {
  readonly location: VehicleLocation;
  readonly history: boolean;
  readonly frame: number | undefined;
}

/**
 * The claims, those that are to be saved first before the others: live ones before history, and of several that say
 * where one vehicle was at one time, the one to be believed before the rest. The database keeps the first that it has of
 * a time; so whatever the order in which they came, the same one becomes the newest.
 */
export function inOrderOfTrust<T extends Claim>(claims: readonly T[]): T[] {
  const ordered = [...claims.filter(({ history }) => !history), ...claims.filter(({ history }) => history)];
  const places = new Map<string, number[]>();
  ordered.forEach(({ location }, place) => {
    const moment = `${location.vehicleId} ${location.at.getTime()}`;
    const others = places.get(moment);
    if (others === undefined) places.set(moment, [place]);
    else others.push(place);
  });
  for (const [first, ...others] of places.values()) {
    if (first === undefined || others.length === 0) continue;
    const rivals = [first, ...others].map((place) => ordered[place] as T);
    const winner = ordered.indexOf(mostTrusted(rivals));
    // The two change places: those of other moments keep theirs.
    [ordered[first], ordered[winner]] = [ordered[winner] as T, ordered[first] as T];
  }
  return ordered;
}

/** Live before history; the latest frame; and where the device does not number them, the larger content. */
function mostTrusted<T extends Claim>(rivals: readonly T[]): T {
  const live = rivals.filter(({ history }) => !history);
  const candidates = live.length > 0 ? live : rivals;
  const frames = candidates.flatMap(({ frame }) => (frame === undefined ? [] : [frame]));
  const latest = latestFrame(frames);
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
  return (
    a.lat - b.lat ||
    a.lon - b.lon ||
    a.speedKmh - b.speedKmh ||
    (a.headingDeg ?? -1) - (b.headingDeg ?? -1) ||
    Number(a.engineOn) - Number(b.engineOn)
  );
}
