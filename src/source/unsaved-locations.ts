import type { Box, SavedLocation, VehicleId, VehicleLocation } from './fleet-records.js';

/** Vehicles of which it is remembered where they were last, those that were heard of last. */
const VEHICLES_MAX = 100_000;

/**
 * Where vehicles are by what this process has taken in and the database may not have yet. It stands in for the database
 * when it is asked how a position compares, and corrects what it reads there.
 */
export class UnsavedLocations {
  /** The newest position of each vehicle that was taken in, first the vehicle that was not heard of for longest. */
  readonly #newest = new Map<VehicleId, VehicleLocation>();
  /** Of those that the database does not have yet. */
  readonly #unsaved = new Map<VehicleId, VehicleLocation>();

  /** What is known of a position that was taken in: whether it is a duplicate only as far as the newest one tells. */
  add(location: VehicleLocation, isPast: boolean): SavedLocation {
    const { vehicleId } = location;
    const known = this.#newest.get(vehicleId);
    const previous = known && { lat: known.lat, lon: known.lon, region: known.region };
    const same = known !== undefined && isSamePlace(known, location);
    const newest = known === undefined ? !isPast : location.at > known.at;
    if (newest) {
      this.#newest.delete(vehicleId);
      this.#newest.set(vehicleId, location);
      this.#unsaved.set(vehicleId, location);
      if (this.#newest.size > VEHICLES_MAX) this.#forgetFirst();
    }
    return { newest: newest || same, duplicate: same, previous };
  }

  /**
   * The database has it.
   * @returns whether the cache may have been told something else
   */
  saved(location: VehicleLocation, { newest, duplicate, stored }: SavedLocation): boolean {
    const { vehicleId, at } = location;
    const unsaved = this.#unsaved.get(vehicleId);
    if (unsaved !== undefined && unsaved.at <= at) this.#unsaved.delete(vehicleId);
    const known = this.#newest.get(vehicleId);
    if (stored !== undefined && !(newest && duplicate)) return true;
    return !newest && known !== undefined && known.at.getTime() === at.getTime() && isSamePlace(known, location);
  }

  of(ids: readonly VehicleId[]): VehicleLocation[] {
    return ids.flatMap((id) => this.#unsaved.get(id) ?? []);
  }

  all(): VehicleLocation[] {
    return [...this.#unsaved.values()];
  }

  #forgetFirst(): void {
    for (const vehicleId of this.#newest.keys()) {
      this.#newest.delete(vehicleId);
      return;
    }
  }
}

/** Puts in the place of what the database has what is newer. */
export function corrected(
  found: Map<VehicleId, VehicleLocation>,
  unsaved: readonly VehicleLocation[],
): Map<VehicleId, VehicleLocation> {
  for (const location of unsaved) {
    const other = found.get(location.vehicleId);
    if (other === undefined || other.at < location.at) found.set(location.vehicleId, location);
  }
  return found;
}

export function isWithin({ south, west, north, east }: Box, { lat, lon }: VehicleLocation): boolean {
  return lat >= south && lat <= north && lon >= west && lon <= east;
}

function isSamePlace(a: VehicleLocation, b: VehicleLocation): boolean {
  return a.at.getTime() === b.at.getTime() && a.lat === b.lat && a.lon === b.lon && a.speedKmh === b.speedKmh;
}
