import { describe, expect, it } from 'vitest';
import { makeDemoFleet } from '../../src/node/demo/demo-fleet.js';
import { ReadMix } from '../../src/node/demo/read-mix.js';
import { pickZipf, seededChance } from '../../src/node/demo/seeded-random.js';
import { makeVehicleRecords } from '../../src/node/demo/vehicle-records.js';

const fleet = makeDemoFleet({ vehicles: 5_000, seed: 3 });
const ASKED = 20_000;

function ask(mix: ReadMix) {
  return Array.from({ length: ASKED }, () => mix.next());
}

describe('the read mix', () => {
  const reads = ask(new ReadMix(fleet, seededChance(1)));

  it('asks for the last position six times of ten, nearby vehicles 12 and trips 10 times of a hundred', () => {
    const share = (...kinds: string[]) => reads.filter(({ kind }) => kinds.includes(kind)).length / ASKED;
    expect(share('location', 'map')).toBeCloseTo(0.6, 1);
    expect(share('nearby')).toBeCloseTo(0.12, 1);
    expect(share('trips')).toBeCloseTo(0.1, 1);
    expect(share('eta', 'status', 'details')).toBeCloseTo(0.08, 1);
  });

  it('asks only for vehicles that exist, and never about nothing', () => {
    const ids = new Set(fleet.vehicles.map(({ id }) => id));
    const asked = reads.flatMap((read) => (read.kind === 'map' ? read.ids : [read.id]));
    expect(asked.filter((id) => !ids.has(id))).toEqual([]);
    expect(reads.filter((read) => read.kind === 'map' && read.ids.length === 0)).toEqual([]);
  });

  it('shows one operator on a map, at most 100 vehicles at a time', () => {
    const operatorOf = new Map(fleet.vehicles.map(({ id, operator }) => [id, operator]));
    const maps = reads.flatMap((read) => (read.kind === 'map' ? [read.ids] : []));
    expect(Math.max(...maps.map((ids) => ids.length))).toBe(100);
    expect(maps.filter((ids) => new Set(ids.map((id) => operatorOf.get(id))).size !== 1)).toEqual([]);
  });

  it('asks for some far more often than for others', () => {
    const counts = new Map<string, number>();
    for (const read of reads) if (read.kind === 'location') counts.set(read.id, (counts.get(read.id) ?? 0) + 1);
    const sorted = [...counts.values()].sort((a, b) => b - a);
    const top = sorted.slice(0, sorted.length / 10).reduce((a, b) => a + b, 0);
    expect(top / sorted.reduce((a, b) => a + b, 0)).toBeGreaterThan(0.3);
  });

  it('asks for vehicles that were made known later, from then on', () => {
    const mix = new ReadMix(fleet, seededChance(2));
    mix.know(['900000001', '900000002']);
    const later = ask(mix).filter((read) => (read.kind === 'map' ? read.ids : [read.id]).includes('900000001'));
    expect(later.length).toBeGreaterThan(ASKED / 20);
  });
});

describe('ranks by Zipf', () => {
  it('lie within their range and fall off with the rank', () => {
    const chance = seededChance(5);
    for (const alpha of [0.83, 1.17]) {
      const counts = new Array<number>(50).fill(0);
      for (let i = 0; i < 50_000; i++) counts[pickZipf(50, alpha, chance)]! += 1;
      expect(counts[0]!).toBeGreaterThan(counts[4]!);
      expect(counts[4]!).toBeGreaterThan(counts[49]!);
      expect(counts[49]!).toBeGreaterThan(0);
      expect(counts.reduce((a, b) => a + b, 0)).toBe(50_000);
    }
    expect(pickZipf(1, 0.83, chance)).toBe(0);
  });
});

describe('the records of a vehicle', () => {
  it('are the same from the same seed, with a plate of its state', () => {
    const vehicle = fleet.vehicles[0]!;
    const make = () => makeVehicleRecords(vehicle, 1_800_000_000_000, seededChance(9));
    expect(make()).toEqual(make());
    expect(make().vehicle.registration).toMatch(new RegExp(`^${vehicle.city.state}\\d\\d[A-Z]{2}\\d{4}$`));
    expect(make().trips).toHaveLength(3);
  });
});
