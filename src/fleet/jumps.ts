import { distanceKm } from './circle.js';
import type { VehicleId, VehicleLocation } from './domain.js';
import { HOUR_MS } from './ist-calendar.js';
import { SPEED_MAX_KMH } from './positions.js';

type Place = Pick<VehicleLocation, 'lat' | 'lon' | 'at'>;

interface Track {
  /** The newest position that was believed. */
  readonly last: Place;
  /** A later one that was not. */
  readonly suspect: Place | undefined;
}

/** Most vehicles that are remembered, the last heard of. */
const VEHICLES_MAX = 50_000;

/**
 * Whatever the time between two positions, so much is no jump: clocks and receivers are off by a little, and nobody is
 * led to another city by it. In 83,622 pairs of real truck reports none needs it at 300 km/h.
 */
const SLACK_KM = 10;

/**
 * Tells a position that the vehicle cannot have driven to. One alone is not believed; a second one that can be reached
 * from it is, or a vehicle whose first position was the wrong one would never be seen where it is. A report that comes
 * twice does not confirm itself.
 *
 * It goes by what came in through this process, and judges only what may become the newest position.
 */
export class Jumps {
  readonly #tracks = new Map<VehicleId, Track>();

  isJump({ vehicleId, lat, lon, at }: VehicleLocation): boolean {
    const place = { lat, lon, at };
    const track = this.#tracks.get(vehicleId);
    if (track !== undefined && at <= track.last.at) return false;
    const believed =
      track === undefined ||
      isWithinReach(track.last, place) ||
      (track.suspect !== undefined && track.suspect.at < at && isWithinReach(track.suspect, place));
    // Written anew, so that the first of the map is the one that was not heard of for longest.
    this.#tracks.delete(vehicleId);
    this.#tracks.set(vehicleId, believed ? { last: place, suspect: undefined } : { last: track.last, suspect: place });
    if (this.#tracks.size > VEHICLES_MAX) this.#forgetFirst();
    return !believed;
  }

  #forgetFirst(): void {
    for (const vehicleId of this.#tracks.keys()) {
      this.#tracks.delete(vehicleId);
      return;
    }
  }
}

function isWithinReach(from: Place, to: Place): boolean {
  const hours = (to.at.getTime() - from.at.getTime()) / HOUR_MS;
  return distanceKm(from, to) <= SLACK_KM + SPEED_MAX_KMH * hours;
}
