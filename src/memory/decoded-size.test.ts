import { describe, expect, it } from 'vitest';
import { decodedBytes } from './decoded-size.js';

describe('the size of a decoded value', () => {
  it('grows with what is in it', () => {
    const sizes = [
      {},
      { a: 'x' },
      { a: 'x'.repeat(100) },
      { a: 'x'.repeat(100), b: [1, 2, 3] },
      { a: 'x'.repeat(100), b: [1, 2, 3], c: new Date(5) },
      { a: 'x'.repeat(100), b: [1, 2, 3], c: new Date(5), d: new Map([['k', new Set([{ deep: 'y'.repeat(500) }])]]) },
      { a: new Uint8Array(2_000) },
    ].map(decodedBytes);
    expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
    expect(new Set(sizes).size).toBe(sizes.length);
    expect(sizes.at(-1)).toBeGreaterThan(2_000);
  });

  it('of a vehicle location is about what it was measured to be', () => {
    const location = {
      vehicleId: '12345',
      lat: 19.0712,
      lon: 72.8712,
      speedKmh: 45,
      ignition: true,
      headingDeg: 270,
      recordedAt: new Date(1_764_000_000_000),
      region: 'mumbai',
      odometerKm: 1_234,
    };
    // 469 in the heap, 680 with what the heap leaves unused.
    expect(decodedBytes(location)).toBeGreaterThan(620);
    expect(decodedBytes(location)).toBeLessThan(740);
  });

  it('of what takes nothing beside its place is 0', () => {
    expect([undefined, null, true, 7, -1].map(decodedBytes)).toEqual([0, 0, 0, 0, 0]);
  });
});
