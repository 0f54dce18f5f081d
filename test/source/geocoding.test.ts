import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LoadCall } from '../../src/core/cache.js';
import type { GeocodingApi } from '../../src/fleet/ports.js';
import { systemClock } from '../../src/node/system-clock.js';
import { type FakeGoogleServer, startFakeGoogleServer } from '../../src/source/fake-google-server.js';
import { GeocodingClient } from '../../src/source/geocoding-client.js';
import { GEOCODE_LOCATION_PATH } from '../../src/source/geocoding-wire.js';

const KEY = 'AIza-the-key-of-these-tests';
const MUMBAI = { lat: 19.076, lon: 72.8777 };

let server: FakeGoogleServer;
let client: GeocodingClient;

beforeEach(async () => {
  server = await startFakeGoogleServer({ clock: systemClock, apiKey: KEY });
  client = makeClient();
});

afterEach(async () => {
  await client.close();
  await server.close();
});

function makeClient(perMinute?: number): GeocodingClient {
  return new GeocodingClient({
    apiKey: KEY,
    url: server.url,
    clock: systemClock,
    chance: { next: () => 0.25 },
    ...(perMinute !== undefined && { perMinute }),
  });
}

const within = (remainingMs = 10_000): LoadCall => ({ remainingMs, signal: new AbortController().signal });

describe('the geocoding client', () => {
  it('tells which place is where, the same for the same plot', async () => {
    const api: GeocodingApi = client;
    const place = await api.placeAt(MUMBAI, within());
    expect(place).toEqual({ placeId: expect.stringMatching(/^ChIJ/), address: 'Plot 190760/728777, India' });
    expect(await api.placeAt({ lat: 19.07601, lon: 72.87775 }, within())).toEqual(place);
    expect(await api.placeAt({ lat: -33.9, lon: -0.00001 }, within())).not.toEqual(place);
  });

  it('says that there is no place', async () => {
    expect(await client.placeAt({ lat: 89, lon: 0 }, within())).toBeUndefined();
  });

  it('refuses a position that is none before it asks', async () => {
    const nowhere = { lat: Number.NaN, lon: 0 };
    await expect(client.placeAt(nowhere, within())).rejects.toMatchObject({ code: 'invalid-value', field: 'position' });
    expect(server.requests).toBe(0);
  });

  it('leaves the API alone once that has said that there were too many', async () => {
    server.behave({ quota: 1 });
    await client.placeAt(MUMBAI, within());
    for (let n = 0; n < 5; n++) {
      await expect(client.placeAt(MUMBAI, within())).rejects.toMatchObject({ code: 'overloaded' });
    }
    expect(server.requests).toBe(2);
  });

  it('sends no more than its share of the quota, and tells at once whom it could only serve too late', async () => {
    const modest = makeClient(60);
    for (let n = 0; n < 5; n++) await modest.placeAt(MUMBAI, within());
    await expect(modest.placeAt(MUMBAI, within(100))).rejects.toMatchObject({
      code: 'deadline',
      message: expect.stringContaining('rate limit of the Geocoding API'),
    });
    await modest.close();
    expect(server.requests).toBe(5);
  });

  it('refuses a share of the quota that is none', () => {
    expect(() => makeClient(0)).toThrow(expect.objectContaining({ code: 'invalid-config', field: 'perMinute' }));
  });
});

describe('the fake of the Geocoding API', () => {
  const ask = async (headers: Record<string, string>, query = '19.1,72.9') => {
    const response = await fetch(server.url + GEOCODE_LOCATION_PATH + query, { headers });
    return { status: response.status, body: (await response.json()) as unknown };
  };
  const error = (code: number, status: string) => ({
    status: code,
    body: { error: expect.objectContaining({ code, status }) },
  });
  const key = { 'x-goog-api-key': KEY };

  it('checks what the real one checks, and says it as the real one does', async () => {
    expect(await ask({})).toEqual(error(403, 'PERMISSION_DENIED'));
    expect(await ask({ 'x-goog-api-key': 'wrong' })).toEqual(error(400, 'INVALID_ARGUMENT'));
    for (const query of ['', 'here', '91,0', '19.1', '1e1,2']) {
      expect(await ask(key, query)).toEqual(error(400, 'INVALID_ARGUMENT'));
    }
    expect(await ask({ ...key, 'x-goog-fieldmask': 'results.secret' })).toEqual(error(400, 'INVALID_ARGUMENT'));
  });

  it('gives the fields of the mask, and all of them without one', async () => {
    expect(await ask({ ...key, 'x-goog-fieldmask': 'results.placeId' })).toEqual({
      status: 200,
      body: { results: [{ placeId: expect.any(String) }] },
    });
    expect(await ask(key)).toEqual({
      status: 200,
      body: { results: [{ placeId: expect.any(String), formattedAddress: expect.any(String) }] },
    });
  });
});
