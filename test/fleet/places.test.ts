import { describe, expect, it } from 'vitest';
import type { Place } from '../../src/fleet/ports.js';
import { openFleet } from './fleet-in-memory.js';

const BANDRA = { lat: 19.0596, lon: 72.8295 };
const PLACE: Place = { placeId: 'ChIJ-bandra', address: 'Hill Road, Mumbai' };

/** An API that answers when it is told to. */
function openPlaces() {
  const asked: {
    readonly position: { readonly lat: number; readonly lon: number };
    readonly answer: (place: Place | undefined) => void;
    readonly fail: (error: Error) => void;
  }[] = [];
  const opened = openFleet(undefined, {
    placeAt: (position) =>
      new Promise((answer, fail) => {
        asked.push({ position, answer, fail });
      }),
  });
  return { ...opened, asked };
}

describe('places', () => {
  it('share one question among those who ask at once, and their address is kept nowhere', async () => {
    const { clock, cache, fleet, asked } = openPlaces();
    const both = [fleet.place(BANDRA), fleet.place({ lat: 19.05962, lon: 72.82949 })];
    await clock.advanceSettled(1);
    expect(asked.map(({ position }) => position)).toEqual([BANDRA]);
    asked[0]?.answer(PLACE);
    expect(await Promise.all(both)).toEqual([PLACE, PLACE]);
    expect(cache.stats().levels.local?.entries ?? 0).toBe(0);
    void fleet.place(BANDRA);
    await clock.advanceSettled(1);
    expect(asked).toHaveLength(2);
    asked[1]?.answer(undefined);
    expect(fleet.stats()).toMatchObject({ placesAsked: 2, placesShared: 1 });
  });

  it('have an id that is kept, and nothing else of them is', async () => {
    const { clock, cache, fleet, asked } = openPlaces();
    const first = fleet.placeId(BANDRA);
    await clock.advanceSettled(1);
    asked[0]?.answer(PLACE);
    expect(await first).toBe('ChIJ-bandra');
    await clock.advanceSettled(29 * 86_400_000);
    expect(await fleet.placeId(BANDRA)).toBe('ChIJ-bandra');
    expect(asked).toHaveLength(1);
    expect(await cache.get('place:19.0596,72.8295')).toEqual({ placeId: 'ChIJ-bandra' });
  });

  it('keep their id while the API fails, and are asked for again when it does not', async () => {
    const { clock, fleet, asked } = openPlaces();
    const first = fleet.placeId(BANDRA);
    await clock.advanceSettled(1);
    asked[0]?.answer(PLACE);
    await first;
    await clock.advanceSettled(31 * 86_400_000);
    const stale = fleet.placeId(BANDRA);
    await clock.advanceSettled(1);
    asked[1]?.fail(new Error('over quota'));
    await clock.advanceSettled(1);
    expect(await stale).toBe('ChIJ-bandra');
    await clock.advanceSettled(60_000);
    const renewed = fleet.placeId(BANDRA);
    await clock.advanceSettled(1);
    asked[2]?.answer({ ...PLACE, placeId: 'ChIJ-renewed' });
    expect(await renewed).toBe('ChIJ-renewed');
  });

  it('are not where nobody lives', async () => {
    const { clock, fleet, asked } = openPlaces();
    const nothing = [fleet.place({ lat: 0, lon: 80 }), fleet.placeId({ lat: 1, lon: 80 })];
    await clock.advanceSettled(1);
    for (const { answer } of asked) answer(undefined);
    expect(await Promise.all(nothing)).toEqual([undefined, undefined]);
  });

  it('need an API, and a position', async () => {
    const { fleet } = openFleet();
    await expect(fleet.place(BANDRA)).rejects.toMatchObject({ code: 'invalid-options', field: 'geocoding' });
    await expect(fleet.placeId({ lat: 91, lon: 0 })).rejects.toMatchObject({
      code: 'invalid-value',
      field: 'position',
    });
  });
});
