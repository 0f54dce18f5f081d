import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../test/virtual-clock.js';
import { partitionOf } from '../core/key.js';
import type { VehicleLocation } from './domain.js';
import type { LiveFilter, SubscriptionFilter } from './live-filter.js';
import { regionOf } from './region.js';
import { zeroCounters } from './stats.js';
import { type SubscribeOptions, Subscriptions } from './subscriptions.js';

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

const settled = () => new Promise((resolve) => setImmediate(resolve));
const textOf = ({ vehicleId, at: time }: VehicleLocation) => `${vehicleId}@${(time.getTime() - START) / 1_000}`;

/** Subscriptions over positions that the test says. */
function opened() {
  const clock = new VirtualClock();
  const counters = zeroCounters();
  const state = { hearsAll: true, current: [] as VehicleLocation[], reads: 0, fails: false, touched: [] as string[] };
  const follows: string[] = [];
  const subscriptions = new Subscriptions({
    clock,
    counters,
    live: {
      follow: () => follows.push('follow'),
      unfollow: () => follows.push('unfollow'),
      touch: (ids) => state.touched.push(...ids),
    },
    hearsAll: () => state.hearsAll,
    async *current({ fits }: LiveFilter) {
      state.reads += 1;
      await settled();
      if (state.fails) throw new Error('the database is down');
      for (const location of state.current) if (fits(location)) yield [location];
    },
  });
  const tell = (...locations: VehicleLocation[]) => {
    for (const location of locations) subscriptions.moved(location);
  };
  const listen = (filter: SubscriptionFilter = {}, options?: SubscribeOptions) => {
    const heard: string[] = [];
    const end = subscriptions.add(
      filter,
      (location) => {
        heard.push(textOf(location));
      },
      options,
    );
    return { heard, end };
  };
  return { clock, counters, state, follows, subscriptions, tell, listen };
}

describe('Subscriptions', () => {
  it('tells of everything without a filter, and of nothing after the end', async () => {
    const { subscriptions, tell, listen, follows } = opened();
    const { heard, end } = listen();
    tell(at('1', 1), at('2', 1));
    await settled();
    expect(heard).toEqual(['1@1', '2@1']);
    end();
    end();
    tell(at('1', 2));
    await settled();
    expect(heard).toEqual(['1@1', '2@1']);
    expect(subscriptions.size).toBe(0);
    expect(follows).toEqual(['follow', 'unfollow']);
  });

  it('filters by vehicle, by region and by box, all of which have to fit', async () => {
    const { tell, listen } = opened();
    const byVehicle = listen({ vehicles: [2n, '3'] });
    const byRegion = listen({ regions: ['19.07,72.87'] });
    const byBox = listen({ box: { south: 19, west: 72, north: 20, east: 73 } });
    const byBoth = listen({ vehicles: ['1'], regions: ['28.61,77.20'] });
    tell(at('1', 1), at('2', 1, 28.6139, 77.209), at('3', 1, 19.5, 72.5));
    await settled();
    expect(byVehicle.heard).toEqual(['2@1', '3@1']);
    expect(byRegion.heard).toEqual(['1@1']);
    expect(byBox.heard).toEqual(['1@1', '3@1']);
    expect(byBoth.heard).toEqual([]);
  });

  it('tells once more of a vehicle that leaves the region', async () => {
    const { tell, listen } = opened();
    const { heard } = listen({ regions: ['19.07,72.87'] });
    for (const location of [at('1', 1), at('1', 2, 19.0865), at('1', 3, 19.0965)]) {
      tell(location);
      await settled();
    }
    expect(heard).toEqual(['1@1', '1@2']);
  });

  it('gives a slow listener the newest of each vehicle, and no queue of old ones', async () => {
    const { counters, subscriptions, tell } = opened();
    const heard: string[] = [];
    const releases: (() => void)[] = [];
    subscriptions.add({}, (location) => {
      heard.push(textOf(location));
      return new Promise<void>((release) => releases.push(release));
    });
    for (let second = 1; second <= 100; second++) {
      tell(at('1', second), at('2', second));
      await settled();
    }
    expect(heard).toEqual(['1@1']);
    while (releases.length > 0) {
      releases.shift()?.();
      await settled();
    }
    expect(heard).toEqual(['1@1', '2@100', '1@100']);
    expect(counters.conflated).toBe(98 + 99);
  });

  it('goes on after a listener that throws or rejects, for it and for the others', async () => {
    const { counters, subscriptions, tell, listen } = opened();
    const { heard } = listen();
    const thrower: string[] = [];
    subscriptions.add({}, (location) => {
      thrower.push(textOf(location));
      throw new Error('listener at fault');
    });
    subscriptions.add({}, async () => {
      throw new Error('listener at fault');
    });
    tell(at('1', 1));
    await settled();
    tell(at('1', 2));
    await settled();
    expect(heard).toEqual(['1@1', '1@2']);
    expect(thrower).toEqual(['1@1', '1@2']);
    expect(counters.listenerErrors).toBe(4);
  });

  it('never tells of an older position after a newer one', async () => {
    const { tell, listen } = opened();
    const { heard } = listen();
    for (const second of [5, 4, 5]) {
      tell(at('1', second));
      await settled();
    }
    expect(heard).toEqual(['1@5']);
  });

  it('keeps no more than 10,000 vehicles waiting for a slow listener, and tells it all again when it is free', async () => {
    const { counters, subscriptions, state } = opened();
    const latest = new Map<string, string>();
    let release = () => {};
    const hold = new Promise<void>((resolve) => {
      release = resolve;
    });
    subscriptions.add({}, async (location) => {
      latest.set(location.vehicleId, textOf(location));
      await hold;
    });
    state.current = Array.from({ length: 10_051 }, (_, i) => at(String(i), 1));
    for (const location of state.current) subscriptions.moved(location);
    await settled();
    expect(counters.conflated).toBe(51);
    expect(latest.size).toBeLessThan(2);
    release();
    for (let i = 0; i < 30 && latest.size < 10_051; i++) await settled();
    expect(latest.size).toBe(10_051);
  });

  it('tells first where the vehicles are, and says when it has; nothing older than what was told meanwhile', async () => {
    const { state, tell, listen, subscriptions } = opened();
    const first = listen();
    tell(at('1', 1), at('2', 5));
    state.current = [at('1', 1), at('2', 4), at('3', 1)];
    const heard: string[] = [];
    subscriptions.add(
      {},
      (location) => {
        heard.push(textOf(location));
      },
      { current: true, onCurrent: () => heard.push('current') },
    );
    tell(at('4', 1));
    for (let i = 0; i < 10; i++) await settled();
    expect(heard).toEqual(['4@1', '1@1', '3@1', 'current']);
    expect(first.heard).toEqual(['1@1', '2@5', '4@1', '3@1']);
  });

  it('reads again what is watched where moves may have been missed: those of a partition, and who may have come', async () => {
    const { clock, state, subscriptions, tell, listen } = opened();
    const { heard } = listen({ vehicles: ['1', '2', '3'] });
    const lost = partitionOf('vehicle:location:2');
    const others = ['1', '3'].filter((id) => partitionOf(`vehicle:location:${id}`) !== lost);
    subscriptions.missed(lost);
    expect(state.touched).toContain('2');
    for (const id of others) expect(state.touched).not.toContain(id);
    const region = listen({ regions: ['19.07,72.87'] });
    tell(at('1', 1), at('4', 1));
    state.current = [at('4', 2), at('5', 1)];
    for (let i = 0; i < 256; i++) subscriptions.missed(i);
    await clock.advanceSettled(100);
    expect(state.reads).toBe(2);
    await settled();
    expect(region.heard).toEqual(['1@1', '4@1', '4@2', '5@1']);
    expect(heard).toEqual(['1@1']);
  });

  it('reads what is watched every five seconds while moves are not heard of, and after a failure', async () => {
    const { clock, state, listen } = opened();
    const { heard, end } = listen({ regions: ['19.07,72.87'] });
    state.current = [at('1', 1)];
    await clock.advanceSettled(20_000);
    expect(state.reads).toBe(0);
    state.hearsAll = false;
    state.fails = true;
    await clock.advanceSettled(5_000);
    await settled();
    expect([state.reads, heard]).toEqual([1, []]);
    state.hearsAll = true;
    state.fails = false;
    await clock.advanceSettled(5_000);
    await settled();
    expect([state.reads, heard]).toEqual([2, ['1@1']]);
    end();
    expect(clock.pending).toBe(0);
  });

  it('has a limit, and says so', () => {
    const { subscriptions } = opened();
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
    const { subscriptions } = opened();
    expect(() => subscriptions.add(filter, () => {})).toThrow(expect.objectContaining({ field }));
    expect(subscriptions.size).toBe(0);
  });
});
