import type { Cache } from '../core/cache.js';
import type { Call } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import type { VehicleId, VehicleLocation } from './domain.js';
import { keys } from './keys.js';
import type { FleetKeyspaces } from './keyspaces.js';
import { REGION_LIFETIME } from './lifetimes.js';
import type { LiveLocations, LocationFollower } from './live-locations.js';
import { isNewerLocation } from './positions.js';
import { type Cell, cellOf, regionOfCell } from './region.js';
import { restOf } from './waits.js';

/** A vehicle, and the cell in which it was last. */
export interface Spot {
  readonly id: VehicleId;
  /** Of its position in the cache. Kept, for to put it together takes longer than to look it up. */
  readonly key: string;
  cell: Cell;
  location: VehicleLocation;
  /** When the cache said last that it is there, on the monotonic clock. */
  seenAtMs: number;
}

interface Shelf {
  readonly spots: Set<Spot>;
  /** Until then, on the monotonic clock, all vehicles of the cell are here. */
  completeUntilMs: number;
}

export interface NearbyIndexParts {
  readonly cache: Cache;
  readonly clock: Clock;
  readonly keyspaces: Pick<FleetKeyspaces, 'location' | 'nearby'>;
  readonly live: LiveLocations;
}

/** The seven cities, each with all of a circle of 50 km, have 51,000. */
const CELLS_MAX = 100_000;
/** Ten times the platform's. */
const SPOTS_MAX = 200_000;
/** Vehicles that the cache knows no position of; when there are more, it is quicker to begin anew. */
const LOST_MAX = 256;
/**
 * For how long a position that the cache has vouched for is taken without asking it again: what changes in it is heard
 * of, but not that its time ends. So that may come this much later.
 */
const SEEN_FOR_MS = 100;
/** When nobody has asked for so long, nothing is followed any more. */
const IDLE_MS = 60_000;
const NAME = 'the vehicles nearby';

/**
 * Which vehicles are in which cell, kept by this process. The cache's lists (`nearby:vehicles:{region}`) begin it, and
 * from then on the feed keeps it: a vehicle is moved from cell to cell as its moves are heard of, and neither the lists
 * nor the database are asked again while nothing is missed. Why a cell that is complete stays so:
 *
 *   1. here:  all moves are heard from T on; a second later the list of a cell is read from the cache
 *   2. who records a vehicle that enters the cell removes the list from the cache before he stores the position there
 *   3. a vehicle that is in the cell and not on the list entered after the list was made. Had the list been removed
 *      more than a second before it was read, it would not have been there (P1). So its position was stored after T,
 *      and has been heard of, or will be within the second that is promised
 *
 * Where vehicles are says the cache, and not the lists.
 */
export class NearbyIndex implements LocationFollower {
  readonly loads = false;
  readonly late = false;
  readonly #parts: NearbyIndexParts;
  readonly #shelves = new Map<Cell, Shelf>();
  readonly #spots = new Map<VehicleId, Spot>();
  readonly #lost = new Set<VehicleId>();
  #follows = false;
  #usedAtMs = 0;
  /** Grows when what is here is forgotten. */
  #epoch = 0;

  constructor(parts: NearbyIndexParts) {
    this.#parts = parts;
  }

  /**
   * The vehicles that may be in these cells, none of which is in another one: those heard of by now and those on
   * the lists. Undefined when that cannot be vouched for.
   */
  async vehiclesIn(cells: readonly Cell[], call: Call): Promise<Spot[] | undefined> {
    const { clock, live } = this.#parts;
    this.#usedAtMs = clock.monotonicMs();
    if (!this.#follows) {
      this.#follows = true;
      live.follow(this);
    }
    if (!live.isWhole) return undefined;
    const settling = live.settled(call);
    if (settling !== undefined) await settling;
    if (this.#lost.size > 0 && !(await this.#find(call))) return undefined;
    const { spots, open } = this.#collect(cells);
    if (open.length === 0) return live.isWhole ? spots : undefined;
    if (!(await this.#complete(open, call)) || !live.isWhole) return undefined;
    return this.#collect(cells).spots;
  }

  /** Where it is, by the cache; undefined when that does not know at once. */
  look(spot: Spot, nowMs: number): VehicleLocation | undefined {
    if (nowMs - spot.seenAtMs < SEEN_FOR_MS) return spot.location;
    const location = this.#parts.cache.peek<VehicleLocation>(spot.key);
    if (location === undefined) return undefined;
    spot.seenAtMs = nowMs;
    if (location !== spot.location) this.moved(location);
    return location;
  }

  /** A position that had to be asked for: where memory has no room for all, it need not be asked for each time. */
  seen(location: VehicleLocation, nowMs: number): void {
    const spot = this.#spots.get(location.vehicleId);
    if (spot === undefined || isNewerLocation(spot.location, location)) return;
    this.moved(location);
    spot.seenAtMs = nowMs;
  }

  wants(): boolean {
    return true;
  }

  moved(location: VehicleLocation): void {
    if (this.#parts.clock.monotonicMs() - this.#usedAtMs > IDLE_MS) {
      this.close();
      return;
    }
    const { vehicleId: id } = location;
    const cell = cellOf(location);
    const spot = this.#spots.get(id);
    this.#lost.delete(id);
    if (spot === undefined) {
      if (this.#spots.size >= SPOTS_MAX) this.#forgetAll();
      const added = { id, key: keys.location(id), cell, location, seenAtMs: Number.NEGATIVE_INFINITY };
      this.#spots.set(id, added);
      this.#shelf(cell).spots.add(added);
      return;
    }
    if (isNewerLocation(spot.location, location)) return;
    spot.location = location;
    if (cell === spot.cell) return;
    this.#shelves.get(spot.cell)?.spots.delete(spot);
    spot.cell = cell;
    this.#shelf(cell).spots.add(spot);
  }

  lost(id: VehicleId): void {
    this.#take(id);
    this.#lost.add(id);
    if (this.#lost.size > LOST_MAX) this.#forgetAll();
  }

  /** What moved unheard may be anywhere by now. */
  missed(): void {
    this.#forgetAll();
  }

  close(): void {
    this.#follows = false;
    this.#parts.live.unfollow(this);
    this.#forgetAll();
  }

  /** The vehicles in these cells, and which of them may have others. */
  #collect(cells: readonly Cell[]): { readonly spots: Spot[]; readonly open: Cell[] } {
    const nowMs = this.#parts.clock.monotonicMs();
    const spots: Spot[] = [];
    const open: Cell[] = [];
    for (const cell of cells) {
      const shelf = this.#shelves.get(cell);
      if (shelf === undefined || nowMs >= shelf.completeUntilMs) open.push(cell);
      if (shelf !== undefined) for (const spot of shelf.spots) spots.push(spot);
    }
    return { spots, open };
  }

  /** Begins cells with the lists that the cache has. @returns false when one cannot be believed to be all there is */
  async #complete(cells: readonly Cell[], call: Call): Promise<boolean> {
    const { cache, clock, keyspaces, live } = this.#parts;
    const epoch = this.#epoch;
    const nowMs = clock.monotonicMs();
    const regions = cells.map(regionOfCell);
    await keyspaces.nearby.getMany(regions, restOf(clock, call, NAME));
    const listed = new Set<VehicleId>();
    for (const region of regions) {
      // Only what memory vouches for: `getMany` may have had to do with a stale one.
      const ids = cache.peek<readonly VehicleId[]>(keys.nearby(region));
      if (ids === undefined) return false;
      for (const id of ids) if (!this.#spots.has(id)) listed.add(id);
    }
    if (!live.isWhole) return false;
    await this.#place([...listed], call);
    if (epoch !== this.#epoch) return false;
    for (const cell of cells) this.#shelf(cell).completeUntilMs = nowMs + REGION_LIFETIME.ttl;
    return true;
  }

  /** Those of which the cache lost sight may be anywhere: the database knows. */
  async #find(call: Call): Promise<boolean> {
    const lost = [...this.#lost];
    this.#lost.clear();
    try {
      await this.#place(lost, call);
      return true;
    } catch {
      for (const id of lost) if (!this.#spots.has(id)) this.#lost.add(id);
      return false;
    }
  }

  async #place(ids: readonly VehicleId[], call: Call): Promise<void> {
    if (ids.length === 0) return;
    const { clock, keyspaces } = this.#parts;
    const found = await keyspaces.location.getMany(ids, restOf(clock, call, NAME));
    for (const location of found.values()) this.moved(location);
  }

  #shelf(cell: Cell): Shelf {
    const known = this.#shelves.get(cell);
    if (known !== undefined) return known;
    if (this.#shelves.size >= CELLS_MAX) this.#forgetAll();
    const shelf = { spots: new Set<Spot>(), completeUntilMs: 0 };
    this.#shelves.set(cell, shelf);
    return shelf;
  }

  #take(id: VehicleId): void {
    const spot = this.#spots.get(id);
    if (spot === undefined) return;
    this.#spots.delete(id);
    this.#shelves.get(spot.cell)?.spots.delete(spot);
  }

  #forgetAll(): void {
    this.#epoch += 1;
    this.#shelves.clear();
    this.#spots.clear();
    this.#lost.clear();
  }
}
