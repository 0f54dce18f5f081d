import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { VehicleLocation } from './domain.js';
import { Jumps } from './jumps.js';

const NOW = 1_760_000_000_000;
const MUMBAI = { lat: 19.0765, lon: 72.8777 };
/** 1,150 km from Mumbai. */
const DELHI = { lat: 28.6139, lon: 77.209 };
const HOUR_S = 3_600;

function seen(place: { readonly lat: number; readonly lon: number }, seconds: number, vehicleId = '42') {
  return { vehicleId, ...place, at: new Date(NOW + seconds * 1_000) } as VehicleLocation;
}

describe('Jumps', () => {
  it('does not believe one position in another city, and believes the next at home', () => {
    const jumps = new Jumps();
    expect(jumps.isJump(seen(MUMBAI, 0))).toBe(false);
    expect(jumps.isJump(seen(DELHI, 10))).toBe(true);
    expect(jumps.isJump(seen(MUMBAI, 20))).toBe(false);
    expect(jumps.isJump(seen(DELHI, 30))).toBe(true);
  });

  it('believes a second one that can be reached from the first: the vehicle is there', () => {
    const jumps = new Jumps();
    jumps.isJump(seen(MUMBAI, 0));
    expect(jumps.isJump(seen(DELHI, 10))).toBe(true);
    expect(jumps.isJump(seen(DELHI, 10))).toBe(true);
    expect(jumps.isJump(seen(DELHI, 20))).toBe(false);
    expect(jumps.isJump(seen(DELHI, 30))).toBe(false);
    expect(jumps.isJump(seen(MUMBAI, 40))).toBe(true);
  });

  it('believes what could be driven at 300 km/h, and 10 km at once', () => {
    const jumps = new Jumps();
    jumps.isJump(seen(MUMBAI, 0));
    expect(jumps.isJump(seen({ ...MUMBAI, lat: 19.16 }, 1))).toBe(false);
    expect(jumps.isJump(seen({ ...MUMBAI, lat: 19.26 }, 2))).toBe(true);
    expect(jumps.isJump(seen(DELHI, 5 * HOUR_S))).toBe(false);
  });

  it('does not judge history: it cannot become the newest', () => {
    const jumps = new Jumps();
    jumps.isJump(seen(MUMBAI, 0));
    expect(jumps.isJump(seen(DELHI, -10))).toBe(false);
    expect(jumps.isJump(seen(DELHI, 0))).toBe(false);
    expect(jumps.isJump(seen(MUMBAI, 10))).toBe(false);
  });

  it('judges each vehicle by itself, and remembers a bounded number of them', () => {
    const jumps = new Jumps();
    jumps.isJump(seen(MUMBAI, 0, '1'));
    expect(jumps.isJump(seen(DELHI, 10, '2'))).toBe(false);
    for (let id = 3; id <= 50_001; id++) jumps.isJump(seen(MUMBAI, 0, String(id)));
    expect(jumps.isJump(seen(MUMBAI, 20, '2'))).toBe(true);
    expect(jumps.isJump(seen(DELHI, 10, '1'))).toBe(false);
  });

  it('never refuses a vehicle that keeps below 300 km/h, whatever the order of its reports', () => {
    const leg = fc.record({
      seconds: fc.integer({ min: 1, max: 3_600 }),
      share: fc.double({ min: -1, max: 1, noNaN: true }),
    });
    const drive = fc.array(leg, { maxLength: 30 }).map((legs) => {
      let [lat, seconds] = [20, 0];
      return legs.map((one) => {
        seconds += one.seconds;
        lat = Math.min(Math.max(lat + (one.share * 300 * one.seconds) / HOUR_S / 111.2, 8), 35);
        return seen({ lat, lon: 77 }, seconds);
      });
    });
    const shuffled = drive.chain((reports) => fc.shuffledSubarray(reports, { minLength: reports.length }));
    fc.assert(
      fc.property(shuffled, (reports) => {
        const jumps = new Jumps();
        expect(reports.filter((report) => jumps.isJump(report))).toEqual([]);
      }),
    );
  });
});
