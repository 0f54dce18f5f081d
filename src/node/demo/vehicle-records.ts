import type { Chance } from '../../core/chance.js';
import type { FuelRecord, MaintenanceRecord, Trip, Vehicle, VehicleStatus } from '../../fleet/domain.js';
import { DEMO_CITIES, type DemoCity } from './demo-fleet.js';
import { pickWeighted } from './seeded-random.js';

/** What the platform would know of a vehicle before it reports its first position. */
export interface VehicleRecords {
  readonly vehicle: Vehicle;
  readonly status: VehicleStatus;
  readonly trips: readonly Trip[];
  readonly fuel: readonly FuelRecord[];
  readonly maintenance: readonly MaintenanceRecord[];
}

export interface VehicleIdentity {
  readonly id: string;
  /** Left out, one of its city is made up. */
  readonly registration?: string;
  readonly city: DemoCity;
  readonly operator: number;
}

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const TRIPS = 3;
const FILL_UPS = 4;
const SERVICES = 2;
const MODELS = ['Tata Prima 5530', 'Ashok Leyland 2820', 'BharatBenz 3528C', 'Eicher Pro 6028', 'Mahindra Blazo X 35'];
const WORK = ['oil and filters', 'brake pads', 'tyres', 'clutch plate', 'coolant flush', 'wheel alignment'];
const LETTERS = 'ABCDEFGHJKLMNPRSTUVWXYZ';
/** Price of a litre of diesel. */
const INR_PER_LITRE = 91;

export function makeVehicleRecords(identity: VehicleIdentity, nowMs: number, chance: Chance): VehicleRecords {
  const { id, city, operator } = identity;
  const whole = (from: number, to: number) => from + Math.floor(chance.next() * (to - from + 1));
  const oneOf = <T>(choices: readonly T[]) => choices[Math.floor(chance.next() * choices.length)] as T;
  const updatedAt = new Date(nowMs - whole(1, 90) * DAY_MS);
  const odometerKm = whole(20_000, 480_000);
  const registration = identity.registration ?? plateOf(city, whole, oneOf);
  return {
    vehicle: {
      id,
      registration,
      type: chance.next() < 0.8 ? 'truck' : 'bus',
      model: oneOf(MODELS),
      city: city.name,
      operatorId: `operator-${operator + 1}`,
      capacityKg: whole(7, 42) * 1_000,
      active: true,
      updatedAt,
    },
    status: {
      vehicleId: id,
      state: (['moving', 'idling', 'parked', 'workshop'] as const)[pickWeighted([30, 20, 48, 2], chance)] ?? 'parked',
      fuelPercent: whole(8, 100),
      odometerKm,
      updatedAt: new Date(nowMs - whole(0, 600) * 1_000),
    },
    trips: Array.from({ length: TRIPS }, (_, n) => {
      const startedAt = nowMs - n * DAY_MS - whole(1, 20) * HOUR_MS;
      const distanceKm = whole(20, 1_400);
      const plannedMs = startedAt + (distanceKm / 40) * HOUR_MS;
      return {
        id: `trip-${id}-${n}`,
        vehicleId: id,
        origin: city.name,
        destination: oneOf(DEMO_CITIES).name,
        distanceKm,
        startedAt: new Date(startedAt),
        plannedArrivalAt: new Date(plannedMs),
        arrivedAt: n === 0 ? undefined : new Date(plannedMs + whole(-60, 240) * 60_000),
      };
    }),
    fuel: Array.from({ length: FILL_UPS }, (_, n) => {
      const litres = whole(80, 380);
      return {
        id: `fuel-${id}-${n}`,
        vehicleId: id,
        at: new Date(nowMs - n * 2 * DAY_MS - whole(1, 40) * HOUR_MS),
        litres,
        odometerKm: Math.max(0, odometerKm - n * 700),
        costInr: litres * INR_PER_LITRE,
      };
    }),
    maintenance: Array.from({ length: SERVICES }, (_, n) => {
      const at = nowMs - (n * 120 + whole(5, 100)) * DAY_MS;
      const nextDueAt = n === 0 ? new Date(at + 120 * DAY_MS) : undefined;
      return { id: `service-${id}-${n}`, vehicleId: id, at: new Date(at), work: oneOf(WORK), nextDueAt };
    }),
  };
}

/** `SS 00 XX 0000` without the blanks. */
function plateOf(
  { state }: DemoCity,
  whole: (from: number, to: number) => number,
  oneOf: <T>(choices: readonly T[]) => T,
): string {
  const letters = [...LETTERS];
  const office = String(whole(1, 49)).padStart(2, '0');
  return `${state}${office}${oneOf(letters)}${oneOf(letters)}${String(whole(1, 9_999)).padStart(4, '0')}`;
}
