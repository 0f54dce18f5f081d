import type { Chance } from '../../core/chance.js';
import { DEMO_CITIES, type DemoFleet } from './demo-fleet.js';
import { pickWeighted, pickZipf } from './seeded-random.js';

/** One question to the fleet. `map` is a screen of one operator's vehicles. */
export type Read =
  | { readonly kind: 'location' | 'status' | 'details' | 'trips' | 'fuel' | 'maintenance'; readonly id: string }
  | { readonly kind: 'map'; readonly ids: readonly string[] }
  | { readonly kind: 'nearby'; readonly id: string; readonly radiusKm: number }
  | { readonly kind: 'eta'; readonly id: string; readonly lat: number; readonly lon: number };

export type ReadKind = Read['kind'];

/**
 * Of 100 questions. 60 ask for the last position, a quarter of them as a map does; 12 for vehicles nearby, 10 for trips, 6
 * for fuel, 4 for maintenance. The 8 about routes and arrival are shared with status and details, which a planner's
 * screen shows beside them.
 */
const WEIGHTS: Readonly<Record<ReadKind, number>> = {
  location: 45,
  map: 15,
  nearby: 12,
  trips: 10,
  fuel: 6,
  maintenance: 4,
  status: 3,
  details: 3,
  eta: 2,
};
const KINDS = Object.keys(WEIGHTS) as ReadKind[];
const KIND_WEIGHTS = KINDS.map((kind) => WEIGHTS[kind]);

/** Which operator asks. Routes are skewed like this; so are those who look at them. */
const OPERATOR_ALPHA = 1.17;
/** Which of its vehicles it asks for. */
const VEHICLE_ALPHA = 0.83;
/** Vehicles on one screen. An operator with more turns pages. */
const MAP_MAX = 100;
/** Share of the questions that concern vehicles made known later, as soon as there are some. */
const KNOWN_LATER_SHARE = 0.3;
/** Most vehicles that are made known later. */
const KNOWN_LATER_MAX = 100_000;
const RADII_KM = [0.5, 1, 2];

/** Draws questions, each about vehicles that exist. */
export class ReadMix {
  readonly #operators: DemoFleet['operators'];
  readonly #chance: Chance;
  readonly #knownLater: string[] = [];

  constructor(fleet: DemoFleet, chance: Chance) {
    this.#operators = fleet.operators;
    this.#chance = chance;
  }

  /** These may be asked for from now on. */
  know(ids: readonly string[]): void {
    for (const id of ids) if (this.#knownLater.length < KNOWN_LATER_MAX) this.#knownLater.push(id);
  }

  next(): Read {
    const chance = this.#chance;
    const kind = KINDS[pickWeighted(KIND_WEIGHTS, chance)] as ReadKind;
    const isKnownLater = this.#knownLater.length > 0 && chance.next() < KNOWN_LATER_SHARE;
    const ids = isKnownLater ? this.#knownLater : this.#anOperator();
    if (kind === 'map') return { kind, ids: this.#page(ids) };
    const id = ids[pickZipf(ids.length, VEHICLE_ALPHA, chance)] as string;
    switch (kind) {
      case 'nearby':
        return { kind, id, radiusKm: RADII_KM[pickWeighted([1, 1, 1], chance)] as number };
      case 'eta': {
        const { lat, lon } = DEMO_CITIES[pickWeighted([1, 1, 1, 1, 1, 1, 1], chance)] as (typeof DEMO_CITIES)[number];
        return { kind, id, lat, lon };
      }
      default:
        return { kind, id };
    }
  }

  #anOperator(): readonly string[] {
    return this.#operators[pickZipf(this.#operators.length, OPERATOR_ALPHA, this.#chance)] as readonly string[];
  }

  /** Pages near the front are looked at most. */
  #page(ids: readonly string[]): readonly string[] {
    const pages = Math.ceil(ids.length / MAP_MAX);
    const page = pages === 1 ? 0 : pickZipf(pages, VEHICLE_ALPHA, this.#chance);
    return ids.slice(page * MAP_MAX, (page + 1) * MAP_MAX);
  }
}
