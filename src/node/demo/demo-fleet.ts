import type { City } from '../../fleet/domain.js';
import { pickWeighted, pickZipf, seededChance } from './seeded-random.js';

/** How many vehicles, and from which seed: every process of a demo makes the same fleet of it. */
export interface DemoFleetPlan {
  readonly vehicles: number;
  readonly seed: number;
}

export interface DemoCity {
  readonly name: City;
  /** Share of all vehicles. */
  readonly share: number;
  /** Where its traffic is, and how far it reaches: a circle of land. */
  readonly lat: number;
  readonly lon: number;
  readonly radiusKm: number;
  /** Of the plates registered there. */
  readonly state: string;
}

export interface DemoVehicle {
  readonly id: string;
  readonly city: DemoCity;
  /** Rank of its operator, the largest being 0. */
  readonly operator: number;
  /** Where it stands when the demo begins. */
  readonly lat: number;
  readonly lon: number;
}

export interface DemoFleet {
  readonly plan: DemoFleetPlan;
  readonly vehicles: readonly DemoVehicle[];
  /** Ids of the vehicles of each operator, the largest operator first; none is empty. */
  readonly operators: readonly (readonly string[])[];
}

/** Vehicle shares as the platform assumes them; centres moved inland where the sea is near. */
export const DEMO_CITIES: readonly DemoCity[] = [
  { name: 'mumbai', share: 0.2, lat: 19.13, lon: 72.95, radiusKm: 14, state: 'MH' },
  { name: 'delhi', share: 0.22, lat: 28.63, lon: 77.21, radiusKm: 22, state: 'DL' },
  { name: 'bengaluru', share: 0.18, lat: 12.97, lon: 77.59, radiusKm: 18, state: 'KA' },
  { name: 'chennai', share: 0.12, lat: 13.05, lon: 80.17, radiusKm: 11, state: 'TN' },
  { name: 'hyderabad', share: 0.11, lat: 17.39, lon: 78.48, radiusKm: 18, state: 'TS' },
  { name: 'kolkata', share: 0.09, lat: 22.57, lon: 88.36, radiusKm: 14, state: 'WB' },
  { name: 'pune', share: 0.08, lat: 18.52, lon: 73.85, radiusKm: 14, state: 'MH' },
];

/** Ids of simulated vehicles lie from here on. */
const FIRST_ID = 100_001;
/** The largest customer of real booking data has 60 % of the trips. */
const LARGEST_OPERATOR_SHARE = 0.6;
/** Sizes of the others. */
const OPERATOR_SIZE_ALPHA = 0.83;
const VEHICLES_PER_OPERATOR = 50;
const KM_PER_DEGREE = 111.2;

export function makeDemoFleet(plan: DemoFleetPlan): DemoFleet {
  const chance = seededChance(plan.seed);
  const others = Math.max(2, Math.round((plan.vehicles * (1 - LARGEST_OPERATOR_SHARE)) / VEHICLES_PER_OPERATOR));
  const shares = DEMO_CITIES.map(({ share }) => share);
  const vehicles: DemoVehicle[] = [];
  const byOperator = new Map<number, string[]>();
  for (let i = 0; i < plan.vehicles; i++) {
    const id = String(FIRST_ID + i);
    const city = DEMO_CITIES[pickWeighted(shares, chance)] as DemoCity;
    const operator = chance.next() < LARGEST_OPERATOR_SHARE ? 0 : 1 + pickZipf(others, OPERATOR_SIZE_ALPHA, chance);
    // Not the square root that would spread them evenly: a city is denser in the middle.
    const distanceKm = city.radiusKm * chance.next();
    const angle = chance.next() * 2 * Math.PI;
    vehicles.push({ id, city, operator, ...moved(city, distanceKm * Math.cos(angle), distanceKm * Math.sin(angle)) });
    const ids = byOperator.get(operator);
    if (ids === undefined) byOperator.set(operator, [id]);
    else ids.push(id);
  }
  const operators = [...byOperator.values()].sort((a, b) => b.length - a.length);
  return { plan, vehicles, operators };
}

/** The place so many km north and east of another; flat, which is near enough within a city. */
export function moved(from: { readonly lat: number; readonly lon: number }, northKm: number, eastKm: number) {
  const lonKm = KM_PER_DEGREE * Math.cos((from.lat * Math.PI) / 180);
  return { lat: round(from.lat + northKm / KM_PER_DEGREE), lon: round(from.lon + eastKm / lonKm) };
}

/** As trackers do: six decimals, a hand's breadth. */
function round(degrees: number): number {
  return Math.round(degrees * 1_000_000) / 1_000_000;
}
