import { describe, expect, it } from 'vitest';
import type { VehicleLocation } from './domain.js';
import { regionOf } from './region.js';
import { zeroCounters } from './stats.js';
import { type Moved, type SubscriptionFilter, Subscriptions } from './subscriptions.js';

const START = Date.UTC(2026, 0, 1);

function at(vehicleId: string, second: number, lat = 19.0765, lon = 72.8777): VehicleLocation {
  return {
    vehicleId,
    lat,
    lon,
    speedKmh: 30,
    headingDeg: undefined,
    engineOn: true,
    at: new Date(START + second * 1_000),
    region: regionOf(lat, lon),
  };
}

const moved = (location: VehicleLocation, previous?: VehicleLocation): Moved => ({ location, previous });
const settled = () => new Promise((resolve) => setImmediate(resolve));
const textOf = ({ vehicleId, at: time }: VehicleLocation) => `${vehicleId}@${(time.getTime() - START) / 1_000}`;

function listening(filter: SubscriptionFilter = {}) {
  const counters = zeroCounters();
  const subscriptions = new Subscriptions(counters);
  const heard: string[] = [];
  const end = subscriptions.add(filter, (location) => {
    heard.push(textOf(location));
  });
  return { counters, subscriptions, heard, end };
}

describe('Subscriptions', () => {
  it('tells of everything without a filter, and of nothing after the end', async () => {
    const { subscriptions, heard, end } = listening();
    subscriptions.publish([moved(at('1', 1)), moved(at('2', 1))]);
    await settled();
    expect(heard).toEqual(['1@1', '2@1']);
    end();
    subscriptions.publish([moved(at('1', 2))]);
    await settled();
    expect(heard).toEqual(['1@1', '2@1']);
    expect(subscriptions.size).toBe(0);
  });

  it('filters by vehicle, by region and by box, all of which have to fit', async () => {
    const byVehicle = listening({ vehicles: [2n, '3'] });
    const byRegion = listening({ regions: ['19.07,72.87'] });
    const byBox = listening({ box: { south: 19, west: 72, north: 20, east: 73 } });
    const byBoth = listening({ vehicles: ['1'], regions: ['28.61,77.20'] });
    for (const { subscriptions } of [byVehicle, byRegion, byBox, byBoth]) {
      subscriptions.publish([moved(at('1', 1)), moved(at('2', 1, 28.6139, 77.209)), moved(at('3', 1, 19.5, 72.5))]);
    }
    await settled();
    expect(byVehicle.heard).toEqual(['2@1', '3@1']);
    expect(byRegion.heard).toEqual(['1@1']);
    expect(byBox.heard).toEqual(['1@1', '3@1']);
    expect(byBoth.heard).toEqual([]);
  });

  it('tells once more of a vehicle that leaves the region', async () => {
    const { subscriptions, heard } = listening({ regions: ['19.07,72.87'] });
    const inside = at('1', 1);
    const outside = at('1', 2, 19.0865);
    subscriptions.publish([moved(inside)]);
    subscriptions.publish([moved(outside, inside)]);
    subscriptions.publish([moved(at('1', 3, 19.0965), outside)]);
    await settled();
    expect(heard).toEqual(['1@2']);
  });

  it('gives a slow listener the newest of each vehicle, and no queue of old ones', async () => {
    const { counters, subscriptions } = listening();
    const heard: string[] = [];
    const releases: (() => void)[] = [];
    subscriptions.add({}, (location) => {
      heard.push(textOf(location));
      return new Promise<void>((release) => releases.push(release));
    });
    for (let second = 1; second <= 100; second++) {
      subscriptions.publish([moved(at('1', second)), moved(at('2', second))]);
      await settled();
    }
    expect(heard).toEqual(['1@1']);
    while (releases.length > 0) {
      releases.shift()?.();
      await settled();
    }
    expect(heard).toEqual(['1@1', '2@100', '1@100']);
    expect(counters.conflated).toBe(99 + 98);
  });

  it('goes on after a listener that throws or rejects, for it and for the others', async () => {
    const { counters, subscriptions, heard } = listening();
    const thrower: string[] = [];
    subscriptions.add({}, (location) => {
      thrower.push(textOf(location));
      throw new Error('listener at fault');
    });
    subscriptions.add({}, async () => {
      throw new Error('listener at fault');
    });
    subscriptions.publish([moved(at('1', 1))]);
    await settled();
    subscriptions.publish([moved(at('1', 2))]);
    await settled();
    expect(heard).toEqual(['1@1', '1@2']);
    expect(thrower).toEqual(['1@1', '1@2']);
    expect(counters.listenerErrors).toBe(4);
  });

  it('never tells of an older position after a newer one', async () => {
    const { subscriptions, heard } = listening();
    for (const second of [5, 4, 5]) {
      subscriptions.publish([moved(at('1', second))]);
      await settled();
    }
    expect(heard).toEqual(['1@5']);
  });

  it('keeps no more than 10,000 vehicles waiting for a listener that never comes back', async () => {
    const counters = zeroCounters();
    const subscriptions = new Subscriptions(counters);
    subscriptions.add({}, () => new Promise(() => {}));
    subscriptions.publish([moved(at('0', 1))]);
    await settled();
    subscriptions.publish(Array.from({ length: 10_050 }, (_, i) => moved(at(String(i + 1), 1))));
    expect(counters.conflated).toBe(50);
  });

  it('has a limit, and says so', () => {
    const subscriptions = new Subscriptions(zeroCounters());
    for (let i = 0; i < 1_000; i++) subscriptions.add({}, () => {});
    expect(() => subscriptions.add({}, () => {})).toThrow(expect.objectContaining({ code: 'overloaded' }));
  });

  it.each([
    ['vehicleId', { vehicles: ['x'] }],
    ['region', { regions: ['Mumbai'] }],
    ['box', { box: { south: 20, west: 72, north: 19, east: 73 } }],
    ['box', { box: { south: Number.NaN, west: 72, north: 19, east: 73 } }],
    ['filter', null as unknown as SubscriptionFilter],
  ])('refuses a filter whose %s is wrong', (field, filter) => {
    const subscriptions = new Subscriptions(zeroCounters());
    expect(() => subscriptions.add(filter, () => {})).toThrow(expect.objectContaining({ field }));
    expect(subscriptions.size).toBe(0);
  });
});
