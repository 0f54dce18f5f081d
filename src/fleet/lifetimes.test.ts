import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EwayBill, Vehicle, VehicleLocation } from './domain.js';
import { HOUR_MS } from './ist-calendar.js';
import {
  byHour,
  detailsLifetime,
  ewayBillLifetime,
  ewayBillsLifetime,
  freightHoursLifetime,
  hourFactor,
  jittered,
  locationLifetime,
  until,
} from './lifetimes.js';

const ist = (text: string) => Date.parse(`${text}+05:30`);
const HOUR = { ttl: HOUR_MS, staleIfError: 6 * HOUR_MS };

const at = (engineOn: boolean, speedKmh: number) => locationLifetime({ engineOn, speedKmh } as VehicleLocation).ttl;

describe('locationLifetime', () => {
  it('is 30 s while the vehicle moves', () => {
    expect(at(true, 60)).toBe(30_000);
    expect(at(true, 5)).toBe(30_000);
    expect(at(true, 300)).toBe(30_000);
  });

  it('is 5 min while it goes slower than 5 km/h', () => {
    expect(at(true, 4.999)).toBe(300_000);
    expect(at(true, 0)).toBe(300_000);
  });

  it('is 30 min with the engine off, whatever the speed says', () => {
    expect(at(false, 0)).toBe(1_800_000);
    expect(at(false, 5)).toBe(1_800_000);
    expect(at(false, 40)).toBe(1_800_000);
  });

  it('covers a tracker that sleeps: one that reports every 10 min with the engine off is never silent', () => {
    expect(at(false, 0)).toBeGreaterThanOrEqual(2 * 600_000);
  });

  it('lets a vehicle that fell silent be shown as stale for 10 min, while the database fails', () => {
    for (const engineOn of [true, false]) {
      expect(locationLifetime({ engineOn, speedKmh: 0 } as VehicleLocation).staleIfError).toBe(600_000);
    }
  });
});

describe('detailsLifetime', () => {
  it('is 15 min, and 5 min for a vehicle in service', () => {
    expect(detailsLifetime({ active: false } as Vehicle).ttl).toBe(900_000);
    expect(detailsLifetime({ active: true } as Vehicle).ttl).toBe(300_000);
  });
});

describe('byHour', () => {
  it.each([
    ['05:29', 2, 'night'],
    ['05:30', 1, 'day'],
    ['06:59', 1, 'day'],
    ['07:00', 0.5, 'rush'],
    ['11:59', 0.5, 'rush'],
    ['12:00', 1, 'day'],
    ['16:00', 0.5, 'rush'],
    ['20:59', 0.5, 'rush'],
    ['21:00', 1, 'day'],
    ['23:00', 2, 'night'],
    ['00:00', 2, 'night'],
  ] as const)('at %s IST is %s times as long: %s', (time, factor, reason) => {
    expect(hourFactor(ist(`2026-11-20T${time}:00`))).toEqual({ factor, reason });
  });

  it('is shorter at rush hours, and longer at night but not beyond it', () => {
    expect(byHour(HOUR, ist('2026-11-20T08:00')).ttl).toBe(HOUR_MS / 2);
    expect(byHour(HOUR, ist('2026-11-20T13:00')).ttl).toBe(HOUR_MS);
    expect(byHour(HOUR, ist('2026-11-20T01:00')).ttl).toBe(2 * HOUR_MS);
    expect(byHour(HOUR, ist('2026-11-20T04:00')).ttl).toBe(1.5 * HOUR_MS);
    expect(byHour(HOUR, ist('2026-11-20T05:00')).ttl).toBe(HOUR_MS);
  });
});

describe('until', () => {
  const now = ist('2026-11-20T23:30');

  it('ends at the boundary, stale copies included', () => {
    expect(until(HOUR, now + 1_000, now)).toEqual({ ttl: 1_000, staleIfError: 0, staleWhileRevalidate: 0 });
    expect(until(HOUR, now + 2 * HOUR_MS, now)).toMatchObject({ ttl: HOUR_MS, staleIfError: HOUR_MS });
    expect(until(HOUR, now - 1, now)).toMatchObject({ ttl: 1, staleIfError: 0 });
    expect(until(HOUR, undefined, now)).toEqual(HOUR);
  });

  it('has an e-way bill end at the IST midnight that ends it, and goods-vehicle hours at the next of the city', () => {
    const end = ist('2026-11-21T00:00');
    expect(ewayBillLifetime(end, now)).toMatchObject({ ttl: HOUR_MS / 2, staleIfError: 0 });
    expect(ewayBillLifetime(end, end - 24 * HOUR_MS)).toMatchObject({ ttl: HOUR_MS, staleIfError: 6 * HOUR_MS });
    expect(ewayBillLifetime(end, end + 24 * HOUR_MS)).toEqual(HOUR);
    const bills = [end + 48 * HOUR_MS, end].map((ms) => ({ validUntil: new Date(ms) }) as EwayBill);
    expect(ewayBillsLifetime(bills, now)).toEqual(ewayBillLifetime(end, now));
    expect(ewayBillsLifetime([], now)).toEqual(HOUR);
    expect(freightHoursLifetime('mumbai', 'heavy', ist('2026-11-20T10:45')).ttl).toBe(HOUR_MS / 4);
  });
});

describe('jittered', () => {
  const keys = fc.string({ minLength: 1 });

  it('takes away up to a tenth and never adds, and is the same for one key everywhere', () => {
    fc.assert(
      fc.property(keys, fc.integer({ min: 1, max: 86_400_000 }), (key, ttl) => {
        const { ttl: jitteredTtl, staleIfError } = jittered({ ttl, staleIfError: 5 }, key);
        expect(jitteredTtl).toBeLessThanOrEqual(ttl);
        expect(jitteredTtl).toBeGreaterThanOrEqual(ttl * 0.9);
        expect(staleIfError).toBe(5);
        expect(jittered({ ttl, staleIfError: 5 }, key).ttl).toBe(jitteredTtl);
      }),
    );
  });

  it('spreads what was loaded in one moment: no minute of an hour has a third of a thousand vehicles', () => {
    const ends = Array.from({ length: 1_000 }, (_, id) => jittered(HOUR, `vehicle:maintenance:${id}`).ttl);
    const perMinute = new Map<number, number>();
    for (const end of ends) perMinute.set(Math.floor(end / 60_000), (perMinute.get(Math.floor(end / 60_000)) ?? 0) + 1);
    expect(perMinute.size).toBeGreaterThanOrEqual(6);
    expect(Math.max(...perMinute.values())).toBeLessThan(333);
  });
});
