/** What the fleet asks for, as keys: for caches that know no vehicles. */
import { makeDemoFleet } from '../../src/node/demo/demo-fleet.js';
import { type Read, ReadMix } from '../../src/node/demo/read-mix.js';
import { seededChance } from '../../src/node/demo/seeded-random.js';
import { type BenchLocation, makeLocation } from './locations.js';

const KINDS = ['location', 'status', 'details', 'trips', 'fuel', 'maintenance', 'eta', 'nearby'] as const;

function keyFor(kind: (typeof KINDS)[number], id: string): string {
  return Buffer.from(`vehicle:${kind}:${id}`).toString('latin1');
}

export interface FleetQuestions {
  /** Every key that can be asked for. */
  readonly keys: readonly string[];
  readonly locationKeys: readonly string[];
  /** The keys of each question, in the order in which they are asked. */
  readonly questions: readonly (readonly string[])[];
}

/** The same keys for every seed of the order, and questions of their own for each. */
export function makeQuestions(vehicles: number, count: number, seed: number): FleetQuestions {
  const fleet = makeDemoFleet({ vehicles, seed: 1 });
  const mix = new ReadMix(fleet, seededChance(seed));
  const ids = fleet.vehicles.map(({ id }) => id);
  const known = new Map(KINDS.map((kind) => [kind, new Map(ids.map((id) => [id, keyFor(kind, id)]))]));
  const keyOf = (kind: (typeof KINDS)[number], id: string): string => known.get(kind)?.get(id) as string;
  const keysOf = (read: Read): readonly string[] => {
    if (read.kind === 'map') return read.ids.map((id) => keyOf('location', id));
    return read.kind === 'nearby'
      ? [keyOf('location', read.id), keyOf('nearby', read.id)]
      : [keyOf(read.kind, read.id)];
  };
  return {
    keys: [...known.values()].flatMap((byId) => [...byId.values()]),
    locationKeys: [...(known.get('location')?.values() ?? [])],
    questions: Array.from({ length: count }, () => keysOf(mix.next())),
  };
}

/** Of the size of a location, and says whose it is. */
export function valueFor(key: string, version: number): BenchLocation {
  return { ...makeLocation(version), vehicleId: key };
}
