import { describe, expect, it } from 'vitest';
import type { Vehicle, VehicleLocation } from './domain.js';
import { detailsLifetime, locationLifetime } from './lifetimes.js';

const at = (engineOn: boolean, speedKmh: number) => locationLifetime({ engineOn, speedKmh } as VehicleLocation).ttl;

describe('locationLifetime', () => {
  it('is 30 s while the vehicle moves', () => {
    expect(at(true, 60)).toBe(30_000);
    expect(at(true, 5)).toBe(30_000);
  });

  it('is 5 min while it goes slower than 5 km/h', () => {
    expect(at(true, 4.9)).toBe(300_000);
    expect(at(true, 0)).toBe(300_000);
  });

  it('is 30 min with the engine off, whatever the speed says', () => {
    expect(at(false, 0)).toBe(1_800_000);
    expect(at(false, 40)).toBe(1_800_000);
  });
});

describe('detailsLifetime', () => {
  it('is 15 min, and 5 min for a vehicle in service', () => {
    expect(detailsLifetime({ active: false } as Vehicle).ttl).toBe(900_000);
    expect(detailsLifetime({ active: true } as Vehicle).ttl).toBe(300_000);
  });
});
