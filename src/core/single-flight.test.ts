import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SingleFlight } from './single-flight.js';

describe('SingleFlight', () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => {
    unhandled.push(reason);
  };
  beforeEach(() => {
    unhandled.length = 0;
    process.on('unhandledRejection', note);
  });
  afterEach(async () => {
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });

  it('shares a result', async () => {
    const flights = new SingleFlight<number>();
    const flight = flights.begin('k', false);
    expect(flights.find('k', false)).toBe(flight);
    flight.resolve(7);
    expect(await Promise.all([flight.result, flights.find('k', false)?.result])).toEqual([7, 7]);
  });

  it('shares a failure, which hurts nobody when nobody waits any more', async () => {
    const flights = new SingleFlight<number>();
    const flight = flights.begin('k', true);
    const failure = new Error('no');
    flight.reject(failure);
    await expect(flight.result).rejects.toBe(failure);
    flights.begin('unwatched', true).reject(failure);
  });

  it('is one per key, and of no use to a loader when it does not load', () => {
    const flights = new SingleFlight<number>();
    const reading = flights.begin('k', false);
    expect(flights.find('k', true)).toBeUndefined();
    expect(flights.find('other', false)).toBeUndefined();
    const loading = flights.begin('k', true);
    expect([flights.find('k', false), flights.find('k', true)]).toEqual([loading, loading]);
    expect(reading.loads).toBe(false);
  });

  it('keeps a newer flight when an older one of the same key ends', () => {
    const flights = new SingleFlight<number>();
    const older = flights.begin('k', true);
    flights.disarm('k');
    const newer = flights.begin('k', true);
    flights.end(older);
    expect(flights.find('k', true)).toBe(newer);
    flights.end(newer);
    expect(flights.find('k', true)).toBeUndefined();
    expect(flights.size).toBe(0);
  });

  it('disarms the flight of a written key, and nobody joins it any more', () => {
    const flights = new SingleFlight<number>();
    const [written, other] = [flights.begin('k', true), flights.begin('other', true)];
    flights.disarm('k');
    flights.disarm('nobody asks for this');
    expect([written.armed, other.armed]).toEqual([false, true]);
    expect(flights.find('k', false)).toBeUndefined();
    expect(flights.find('other', false)).toBe(other);
  });

  it('disarms every flight that an invalidation may concern', () => {
    const flights = new SingleFlight<number>();
    const all = ['a1', 'a2', 'b1'].map((key) => flights.begin(key, true));
    const refresh = flights.beginRefresh('a3');
    flights.disarmAll((key) => key.startsWith('a'));
    expect([...all, refresh].map((flight) => flight.armed)).toEqual([false, false, true, false]);
    flights.disarmAll();
    expect(all.map((flight) => flight.armed)).toEqual([false, false, false]);
    expect(flights.size).toBe(0);
  });

  it('disarms a flight that another takes the place of, for no write could find it any more', () => {
    const flights = new SingleFlight<number>();
    const reading = flights.begin('k', false);
    const loading = flights.begin('k', true);
    expect([reading.armed, loading.armed]).toEqual([false, true]);
  });

  it('keeps a refresh apart: no read joins it, it takes no place, and a write disarms it too', () => {
    const flights = new SingleFlight<number>();
    const reading = flights.begin('k', true);
    const refresh = flights.beginRefresh('k');
    expect(flights.findRefresh('k')).toBe(refresh);
    expect(flights.find('k', true)).toBe(reading);
    flights.end(reading);
    expect(flights.find('k', true)).toBeUndefined();
    expect(flights.findRefresh('k')).toBe(refresh);
    flights.disarm('k');
    expect([refresh.armed, flights.findRefresh('k')]).toEqual([false, undefined]);
    const [older, newer] = [flights.beginRefresh('k'), flights.beginRefresh('k')];
    flights.end(older);
    expect([older.armed, newer.armed, flights.findRefresh('k')]).toEqual([false, true, newer]);
  });
});
