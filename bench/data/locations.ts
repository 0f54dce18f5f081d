/** Where vehicles are: what the platform reads most, about 200 bytes as JSON. */
export interface BenchLocation {
  readonly vehicleId: string;
  readonly lat: number;
  readonly lon: number;
  readonly speedKmh: number;
  readonly headingDeg: number;
  readonly engineOn: boolean;
  readonly at: Date;
  readonly region: string;
  /** The vehicle's number: by it a run sees that it got what it asked for. */
  readonly odometerKm: number;
}

const FIRST_ID = 861_000_000_000_000;
const START_MS = Date.UTC(2026, 5, 1, 6);

function idOf(vehicle: number): string {
  return String(FIRST_ID + vehicle);
}

export function keyOf(vehicle: number): string {
  return `vehicle:location:${idOf(vehicle)}`;
}

/** Made once: a key that is put together anew for each lookup has to be hashed for each lookup. */
export function makeKeys(count: number, makeKey = keyOf): string[] {
  return Array.from({ length: count }, (_, vehicle) => flat(makeKey(vehicle)));
}

/** A string that was joined is a tree of its parts until somebody reads it as a whole. */
function flat(text: string): string {
  return Buffer.from(text).toString('latin1');
}

export function makeLocation(vehicle: number): BenchLocation {
  const lat = 8 + ((vehicle * 7_919) % 2_900_000) / 1e5;
  const lon = 68 + ((vehicle * 104_729) % 2_900_000) / 1e5;
  return {
    vehicleId: idOf(vehicle),
    lat,
    lon,
    speedKmh: (vehicle * 31) % 90,
    headingDeg: (vehicle * 97) % 360,
    engineOn: vehicle % 5 !== 0,
    at: new Date(START_MS + ((vehicle * 613) % 3_600) * 1_000),
    region: `cell:${lat.toFixed(2)}:${lon.toFixed(2)}`,
    odometerKm: vehicle,
  };
}
