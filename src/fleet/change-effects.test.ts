import { describe, expect, it } from 'vitest';
import { effectsOf, effectsOfMoves, type RowChange } from './change-effects.js';
import type { VehicleLocation } from './domain.js';

const T = Date.UTC(2026, 10, 5, 4, 30);

function location(offsetMs: number, changes: Partial<VehicleLocation> = {}): VehicleLocation {
  return {
    vehicleId: '7',
    lat: 19.07,
    lon: 72.87,
    speedKmh: 40,
    headingDeg: undefined,
    engineOn: true,
    at: new Date(T + offsetMs),
    region: '19.07:72.87',
    ...changes,
  };
}

function moved(before: VehicleLocation | undefined, after: VehicleLocation | undefined): RowChange {
  const row = (of: VehicleLocation | undefined) => of && { vehicleId: of.vehicleId, location: of };
  return { table: 'vehicle_locations', before: row(before), after: row(after) };
}

const deletedBy = (...changes: RowChange[]) => [...effectsOf(changes).deleted].sort();

describe('what changes of rows mean for the cache', () => {
  it('is one key of each vehicle that a row is or was of', () => {
    expect(deletedBy({ table: 'vehicle_statuses', before: { vehicleId: '1' }, after: { vehicleId: '1' } })).toEqual([
      'vehicle:status:1',
    ]);
    expect(deletedBy({ table: 'trips', before: { vehicleId: '1' }, after: { vehicleId: '2' } })).toEqual([
      'vehicle:trips:1:recent',
      'vehicle:trips:2:recent',
    ]);
    expect(deletedBy({ table: 'fuel_records', before: { vehicleId: '1' }, after: undefined })).toEqual([
      'vehicle:fuel:1:recent',
    ]);
    expect(deletedBy({ table: 'eway_bills', before: undefined, after: { vehicleId: '1' } })).toEqual([
      'vehicle:eway-bills:1',
    ]);
    expect(deletedBy({ table: 'maintenance_records', before: undefined, after: { vehicleId: '1' } })).toEqual([
      'vehicle:maintenance:1',
    ]);
  });

  it('concerns who is in service only when somebody comes or goes', () => {
    const row = (active: boolean) => ({ vehicleId: '1', active });
    expect(deletedBy({ table: 'vehicles', before: row(true), after: row(true) })).toEqual(['vehicle:details:1']);
    expect(deletedBy({ table: 'vehicles', before: row(true), after: row(false) })).toEqual([
      'fleet:active-vehicle-ids',
      'vehicle:details:1',
    ]);
    const created = deletedBy({ table: 'vehicles', before: undefined, after: row(true) });
    expect(created).toEqual([
      'fleet:active-vehicle-ids',
      'vehicle:details:1',
      'vehicle:eway-bills:1',
      'vehicle:fuel:1:recent',
      'vehicle:maintenance:1',
      'vehicle:status:1',
      'vehicle:trips:1:recent',
    ]);
    expect(deletedBy({ table: 'vehicles', before: row(false), after: undefined })).not.toContain(
      'fleet:active-vehicle-ids',
    );
  });

  it('is the whole kind when its table was emptied', () => {
    const emptied = (table: RowChange['table']) => [
      ...effectsOf([{ table, before: undefined, after: undefined }]).deletedPatterns,
    ];
    expect(emptied('trips')).toEqual(['vehicle:trips:*:*']);
    expect(emptied('vehicle_locations')).toEqual(['nearby:vehicles:*', 'vehicle:location:*', 'route:*']);
  });

  it('is one move of a vehicle, from where it was at first to where it is at last', () => {
    const [a, b, c] = [location(0), location(1_000, { lat: 19.08 }), location(1_000, { lat: 19.09, revision: 2 })];
    const { moves, deleted } = effectsOf([moved(a, b), moved(b, c)]);
    expect(moves).toEqual([{ location: c, previous: a }]);
    expect(deleted.size).toBe(0);
    expect(effectsOf([moved(b, c), moved(a, b)]).moves).toMatchObject([{ location: c }]);
  });

  it('is no move when a position was corrected, removed or cannot be read, in whatever order', () => {
    const [a, b] = [location(0), location(1_000)];
    const corrections: RowChange[][] = [
      [moved(b, a)],
      [moved(a, { ...a, lat: 18 })],
      [moved(a, b), moved(b, undefined)],
      [moved(a, undefined), moved(undefined, b)],
      [{ table: 'vehicle_locations', before: undefined, after: { vehicleId: '7' } }],
    ];
    for (const changes of corrections) {
      const { moves, deleted } = effectsOf(changes);
      expect(moves).toEqual([]);
      expect(deleted).toContain('vehicle:location:7');
    }
  });

  it('forgets moves from before the table was emptied', () => {
    const emptied: RowChange = { table: 'vehicle_locations', before: undefined, after: undefined };
    const { moves } = effectsOf([moved(undefined, location(0)), emptied, moved(undefined, location(-5_000))]);
    expect(moves).toEqual([{ location: location(-5_000), previous: undefined }]);
  });
});

describe('what a position that is news means besides', () => {
  it('is nothing when the vehicle hardly moved, and else both regions and its routes', () => {
    const [here, near, far] = [location(0), location(1, { lat: 19.0701 }), location(1, { region: '19.08:72.87' })];
    expect(effectsOfMoves([{ location: near, previous: here }])).toEqual({
      deletedLists: new Set(),
      rerouted: new Set(),
    });
    expect(effectsOfMoves([{ location: far, previous: here }])).toEqual({
      deletedLists: new Set(['nearby:vehicles:19.07:72.87', 'nearby:vehicles:19.08:72.87']),
      rerouted: new Set(['7']),
    });
    expect(effectsOfMoves([{ location: here, previous: undefined }]).deletedLists).toEqual(
      new Set(['nearby:vehicles:19.07:72.87']),
    );
  });
});
