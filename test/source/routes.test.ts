import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LoadCall } from '../../src/core/cache.js';
import type { RoutesApi } from '../../src/fleet/ports.js';
import { systemClock } from '../../src/node/system-clock.js';
import { type FakeGoogleServer, startFakeGoogleServer } from '../../src/source/fake-google-server.js';
import { RoutesClient } from '../../src/source/routes-client.js';
import { COMPUTE_ROUTES_PATH, FIELD_MASK } from '../../src/source/routes-wire.js';

const KEY = 'AIza-the-key-of-these-tests';
const MUMBAI = { lat: 19.076, lon: 72.8777 };
const PUNE = { lat: 18.5204, lon: 73.8567 };
const TRIP = { origin: MUMBAI, destination: PUNE };

let server: FakeGoogleServer;
let client: RoutesClient;

beforeEach(async () => {
  server = await startFakeGoogleServer({ clock: systemClock, apiKey: KEY });
  client = makeClient();
});

afterEach(async () => {
  await client.close();
  await server.close();
});

function makeClient(apiKey = KEY, url = server.url): RoutesClient {
  return new RoutesClient({ apiKey, url, clock: systemClock, chance: { next: () => 0.25 } });
}

const within = (remainingMs = 10_000, signal = new AbortController().signal): LoadCall => ({ remainingMs, signal });

describe('the routes client', () => {
  it('gives distance and travel time by road, the same for the same question', async () => {
    const routes: RoutesApi = client;
    const route = await routes.computeRoute(TRIP, within());
    expect(route).toEqual({ distanceMeters: 156_198, durationSeconds: 15_620 });
    expect(await routes.computeRoute(TRIP, within())).toEqual(route);
  });

  it('says that there is no route, and that the way to where one is has no length', async () => {
    const overseas = { origin: MUMBAI, destination: { lat: 40.7, lon: -74 } };
    expect(await client.computeRoute(overseas, within())).toBeUndefined();
    const here = { origin: MUMBAI, destination: MUMBAI };
    expect(await client.computeRoute(here, within())).toEqual({ distanceMeters: 0, durationSeconds: 0 });
  });

  it('refuses points that are none before it asks', async () => {
    const nowhere = { origin: MUMBAI, destination: { lat: Number.NaN, lon: 0 } };
    await expect(client.computeRoute(nowhere, within())).rejects.toMatchObject({
      code: 'invalid-value',
      field: 'destination',
    });
    expect(server.requests).toBe(0);
  });

  it.each(['unavailable', 'reset'] as const)('tries once more after one %s', async (failure) => {
    server.behave({ failures: [failure] });
    expect(await client.computeRoute(TRIP, within())).toMatchObject({ distanceMeters: 156_198 });
    expect(server.requests).toBe(2);
  });

  it.each([
    ['unavailable', 'HTTP 503 (UNAVAILABLE: The service is currently unavailable.)'],
    ['reset', 'cannot be reached'],
  ] as const)('tries no more than twice when %s stays', async (failure, message) => {
    server.behave({ failures: [failure, failure, failure] });
    await expect(client.computeRoute(TRIP, within())).rejects.toMatchObject({
      code: 'level-failed',
      message: expect.stringContaining(message),
    });
    expect(server.requests).toBe(2);
  });

  it('does not try again what fails for another reason', async () => {
    server.behave({ failures: ['internal'] });
    await expect(client.computeRoute(TRIP, within())).rejects.toMatchObject({
      code: 'level-failed',
      message: 'the Routes API failed with HTTP 500 (INTERNAL: Internal error encountered.)',
    });
    expect(server.requests).toBe(1);
  });

  it('stops trying twice when most requests fail: ten, and a tenth of the requests', async () => {
    server.behave({ failures: Array.from({ length: 100 }, () => 'unavailable') });
    for (let count = 0; count < 30; count++) {
      await expect(client.computeRoute(TRIP, within())).rejects.toMatchObject({ code: 'level-failed' });
    }
    expect(server.requests).toBe(30 + 10 + 2);
  });

  it('says that the quota is used up, and does not insist', async () => {
    server.behave({ quota: 1 });
    await client.computeRoute(TRIP, within());
    await expect(client.computeRoute(TRIP, within())).rejects.toMatchObject({
      code: 'overloaded',
      message: expect.stringMatching(/quota of the Routes API is used up.*RESOURCE_EXHAUSTED/),
    });
    expect(server.requests).toBe(2);
  });

  it('waits no longer than the call allows', async () => {
    server.behave({ delayMs: 60_000 });
    await expect(client.computeRoute(TRIP, within(50))).rejects.toMatchObject({ code: 'deadline' });
  });

  it('lets go when the caller does', async () => {
    server.behave({ delayMs: 60_000 });
    const giving = new AbortController();
    const waiting = expect(client.computeRoute(TRIP, within(60_000, giving.signal))).rejects.toMatchObject({
      code: 'aborted',
    });
    await expect.poll(() => server.requests, { timeout: 10_000 }).toBe(1);
    giving.abort();
    await waiting;
  });

  it('has at most twenty requests under way; the others wait within their deadlines', async () => {
    server.behave({ delayMs: 60_000 });
    const giving = new AbortController();
    const held = Promise.allSettled(
      Array.from({ length: 20 }, () => client.computeRoute(TRIP, { remainingMs: 60_000, signal: anySignal(giving) })),
    );
    await expect.poll(() => server.requests, { timeout: 10_000 }).toBe(20);
    await expect(client.computeRoute(TRIP, within(30))).rejects.toMatchObject({
      code: 'deadline',
      message: expect.stringContaining('a free place at the Routes API'),
    });
    expect(server.requests).toBe(20);
    giving.abort();
    await held;
  });

  it('says that nobody is there', async () => {
    await server.close();
    await expect(client.computeRoute(TRIP, within())).rejects.toMatchObject({
      code: 'level-failed',
      message: expect.stringContaining('cannot be reached'),
    });
  });

  it('refuses to work after it was closed', async () => {
    await Promise.all([client.close(), client.close()]);
    await expect(client.computeRoute(TRIP, within())).rejects.toMatchObject({ code: 'closed' });
  });

  it('never says its key', async () => {
    const stranger = makeClient('AIza-some-other-key');
    const error: unknown = await stranger.computeRoute(TRIP, within()).catch((thrown: unknown) => thrown);
    await stranger.close();
    expect(error).toMatchObject({ code: 'unauthorized', message: expect.stringContaining('API key not valid') });
    for (const shown of [inspect(error, { depth: 9 }), inspect(stranger, { depth: 9, showHidden: true })]) {
      expect(shown).not.toContain('AIza');
    }
  });

  it.each([
    ['apiKey', '', 'http://127.0.0.1:1'],
    ['apiKey', 'two\nlines', 'http://127.0.0.1:1'],
    ['url', KEY, 'not a url'],
    ['url', KEY, 'ftp://127.0.0.1'],
  ])('refuses a wrong %s', (field, apiKey, url) => {
    expect(() => makeClient(apiKey, url)).toThrow(expect.objectContaining({ code: 'invalid-config', field }));
  });
});

describe('the fake of the Routes API', () => {
  const ask = async (headers: Record<string, string>, body = '{}', path = COMPUTE_ROUTES_PATH) => {
    const response = await fetch(server.url + path, { method: 'POST', headers, body });
    return { status: response.status, body: (await response.json()) as unknown };
  };
  const error = (code: number, status: string, message: unknown) => ({
    status: code,
    body: { error: expect.objectContaining({ code, status, message }) },
  });
  const question = JSON.stringify({
    origin: { location: { latLng: { latitude: 19, longitude: 72 } } },
    destination: { location: { latLng: { latitude: 19.1, longitude: 72 } } },
  });
  const key = { 'x-goog-api-key': KEY };

  it('checks what the real one checks, and says it as the real one does', async () => {
    expect(await ask({})).toEqual(error(403, 'PERMISSION_DENIED', 'The request is missing a valid API key.'));
    expect(await ask({ 'x-goog-api-key': 'wrong' })).toEqual(error(400, 'INVALID_ARGUMENT', expect.anything()));
    expect(await ask(key)).toEqual(error(400, 'INVALID_ARGUMENT', 'FieldMask is a required parameter.'));
    expect(await ask({ ...key, 'x-goog-fieldmask': 'routes.polyline' })).toEqual(
      error(400, 'INVALID_ARGUMENT', expect.stringContaining("'routes.polyline'")),
    );
    for (const body of ['{}', 'no JSON', '{"origin":{},"destination":{}}']) {
      expect(await ask({ ...key, 'x-goog-fieldmask': FIELD_MASK }, body)).toEqual(
        error(400, 'INVALID_ARGUMENT', 'Origin and destination must be set.'),
      );
    }
    expect(await ask(key, '{}', '/elsewhere')).toEqual(error(404, 'NOT_FOUND', expect.anything()));
  });

  it('gives the fields of the mask and no others', async () => {
    expect(await ask({ ...key, 'x-goog-fieldmask': 'routes.duration' }, question)).toEqual({
      status: 200,
      body: { routes: [{ duration: '1446s' }] },
    });
    expect(await ask({ ...key, 'x-goog-fieldmask': '*' }, question)).toEqual({
      status: 200,
      body: { routes: [{ distanceMeters: 14_455, duration: '1446s' }] },
    });
  });
});

/** A signal of its own for each request: one that twenty listen to makes Node warn of a leak. */
function anySignal(giving: AbortController): AbortSignal {
  return AbortSignal.any([giving.signal]);
}
