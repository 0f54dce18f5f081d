import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { waitUntil } from '../../src/cli/servers/wait.js';
import { createCache } from '../../src/index.js';
import { startDaemon } from '../../src/node/daemon.js';
import { createFleet, type Fleet, openFleetDatabase } from '../../src/node/fleet.js';
import { type LiveAccess, type LiveStream, openLiveStream } from '../../src/node/http/live-stream.js';
import { type FleetInMemory, openFleet, report } from '../fleet/fleet-in-memory.js';
import { createOwnDatabase, makeOwnPrefix } from '../servers.js';
import { openChangeDatabase } from '../source/change-readers.js';

const TOKEN = 'a-token-of-this-test-and-no-other-one';
const soon = (what: string, check: () => boolean | Promise<boolean>) => waitUntil({ what, boundMs: 20_000 }, check);
const closes: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closes.splice(0).reverse()) await close();
});

interface Opened extends FleetInMemory {
  readonly live: LiveStream;
  readonly url: string;
  readonly server: Server;
  readonly accesses: LiveAccess[];
  /** Whether the fleet is to say that it hears of all moves. */
  readonly hearing: { all: boolean };
}

/** A server of Node with nothing but live positions, and a fleet in memory on a clock of the test's. */
async function openLive(token: string | readonly string[] = TOKEN): Promise<Opened> {
  const parts = openFleet();
  const accesses: LiveAccess[] = [];
  const hearing = { all: true };
  const fleet: Fleet = Object.create(parts.fleet, { hearsAll: { get: () => hearing.all } });
  const live = openLiveStream(fleet, parts.clock, { token, onAccess: (access) => accesses.push(access) });
  const server = createServer((request, response) => live.handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closes.push(async () => {
    live.close();
    await parts.fleet.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return {
    ...parts,
    hearing,
    live,
    server,
    accesses,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/fleet/live`,
  };
}

interface Event {
  readonly name: string;
  readonly id: string | undefined;
  readonly data: { readonly vehicleId?: string; readonly speedKmh?: number; readonly hearsAll?: boolean };
}

interface Reader {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: () => string;
  readonly events: () => Event[];
  readonly told: () => string[];
  readonly isOver: () => boolean;
  readonly response: IncomingMessage;
}

/** Who else is connected to this database. */
const OTHERS = 'select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()';
const BEARER = { authorization: `Bearer ${TOKEN}` };

async function listen(url: string, headers: Record<string, string> = BEARER): Promise<Reader> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { agent: false, headers }, resolve).on('error', reject);
  });
  closes.push(() => response.destroy());
  let text = '';
  let isOver = false;
  response.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  response
    .on('error', () => {})
    .on('close', () => {
      isOver = true;
    });
  const events = () => eventsOf(text);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text: () => text,
    events,
    told: () =>
      events().map(({ name, data }) =>
        data.vehicleId === undefined ? name : `${name} ${data.vehicleId}@${data.speedKmh}`,
      ),
    isOver: () => isOver,
    response,
  };
}

function eventsOf(text: string): Event[] {
  return text
    .slice(0, text.lastIndexOf('\n\n') + 1)
    .split('\n\n')
    .filter((block) => /^data: /m.test(block))
    .map((block) => ({
      name: /^event: (.*)$/m.exec(block)?.[1] ?? 'message',
      id: /^id: (.*)$/m.exec(block)?.[1],
      data: JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? 'null'),
    }));
}

describe('GET /fleet/live', () => {
  it('tells first where the vehicles are and then how they move, each with its version', async () => {
    const { clock, fleet, url, accesses } = await openLive();
    await fleet.recordLocations([report(clock, { speedKmh: 1 }), report(clock, { vehicleId: 43, speedKmh: 1 })]);
    const stream = await listen(`${url}?vehicle=42,44&vehicle=7`);
    expect(stream.status).toBe(200);
    expect(stream.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
    });
    await soon('the present state', () => stream.told().includes('current'));
    await clock.advanceSettled(1_000);
    await fleet.recordLocations([report(clock, { speedKmh: 2 }), report(clock, { vehicleId: 44, speedKmh: 2 })]);
    await soon('the moves', () => stream.told().length === 4);
    expect(stream.told()).toEqual(['message 42@1', 'current', 'message 42@2', 'message 44@2']);
    const [first, , second] = stream.events();
    expect(first?.id).toMatch(/^[0-9a-f]{40}$/);
    expect((second?.id ?? '') > (first?.id ?? '')).toBe(true);
    expect(first?.data).toMatchObject({ lat: 19.0765, lon: 72.8777, region: '19.07,72.87', at: expect.any(String) });
    expect(stream.text()).toMatch(/^retry: \d+\n\n/);
    expect(accesses).toEqual([
      { what: 'opened', address: '127.0.0.1', vehicles: ['42', '44', '7'], regions: 0, box: false },
    ]);
    stream.response.destroy();
    await soon('the end', () => fleet.stats().subscribers === 0);
    expect(accesses[1]).toMatchObject({ what: 'closed', sent: 3 });
    expect(JSON.stringify(accesses)).not.toContain('19.07');
    expect(clock.pending).toBe(0);
  });

  it('tells by region and by box, and of who leaves', async () => {
    const { clock, fleet, url } = await openLive();
    await fleet.recordLocations([report(clock), report(clock, { vehicleId: 43, lat: 19.2 })]);
    const region = await listen(`${url}?region=19.07,72.87&region=19.08,72.87`);
    const box = await listen(`${url}?box=19,72.8,19.3,72.9&vehicle=42`);
    await soon('the present state', () => [region, box].every((one) => one.told().includes('current')));
    await clock.advanceSettled(10_000);
    await fleet.recordLocation(report(clock, { lat: 19.0865 }));
    await clock.advanceSettled(10_000);
    await fleet.recordLocation(report(clock, { lat: 19.0965 }));
    await soon('the moves', () => region.events().length === 4 && box.events().length === 4);
    expect(region.events().map(({ name }) => name)).toEqual(['message', 'current', 'message', 'left']);
    expect(box.events().map(({ name }) => name)).toEqual(['message', 'current', 'message', 'message']);
  });

  it('tells whoever comes back the present state first, whatever he had', async () => {
    const { clock, fleet, url } = await openLive();
    await fleet.recordLocation(report(clock, { speedKmh: 1 }));
    const first = await listen(`${url}?vehicle=42`);
    await soon('the present state', () => first.told().includes('current'));
    const id = first.events()[0]?.id ?? '';
    first.response.destroy();
    await clock.advanceSettled(1_000);
    await fleet.recordLocation(report(clock, { speedKmh: 2 }));
    const second = await listen(`${url}?vehicle=42`, { ...BEARER, 'last-event-id': id });
    await soon('the present state', () => second.told().includes('current'));
    expect(second.told()).toEqual(['message 42@2', 'current']);
  });

  it('gives a slow reader the newest of each vehicle, and not all that there was', async () => {
    const { clock, fleet, url, server } = await openLive();
    const ids = Array.from({ length: 1_000 }, (_, i) => i);
    const all = (speedKmh: number) => ids.map((vehicleId) => report(clock, { vehicleId, speedKmh }));
    const { port } = server.address() as AddressInfo;
    const slow = connect({ port, host: '127.0.0.1' });
    closes.push(() => slow.destroy());
    slow
      .pause()
      .write(
        `GET ${new URL(url).pathname}?box=18.9,72.7,19.3,73.1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`,
      );
    await soon('the stream', () => fleet.stats().subscribers === 1);
    for (let round = 1; round <= 40; round++) {
      await clock.advanceSettled(10);
      await fleet.recordLocations(all(round));
    }
    let text = '';
    slow.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    slow.resume();
    await soon('the newest of all', () => {
      const latest = new Map<string, number>();
      const plain = text.replace(/\r\n[0-9a-f]+\r\n/g, '');
      for (const [, id = '', speed] of plain.matchAll(/"vehicleId":"(\d+)"[^}]*?"speedKmh":(\d+)/g)) {
        expect(Number(speed)).toBeGreaterThanOrEqual(latest.get(id) ?? 0);
        latest.set(id, Number(speed));
      }
      return ids.every((id) => latest.get(String(id)) === 40);
    });
    expect(fleet.stats().conflated).toBeGreaterThan(1_000);
  });

  it('sends heartbeats, says when moves are not heard of any more, and gives up a socket that takes nothing', async () => {
    const { clock, fleet, url, live, server, hearing } = await openLive();
    const stream = await listen(`${url}?vehicle=42`);
    await soon('the present state', () => stream.told().includes('current'));
    await clock.advanceSettled(15_000);
    await soon('a heartbeat', () => stream.text().endsWith('\n\n: \n\n'));
    hearing.all = false;
    await clock.advanceSettled(5_000);
    await soon('word of it', () => stream.events().at(-1)?.data.hearsAll === false);
    hearing.all = true;
    await clock.advanceSettled(5_000);
    await soon('word that it is over', () => stream.events().at(-1)?.data.hearsAll === true);
    const { port } = server.address() as AddressInfo;
    const stuck = connect({ port, host: '127.0.0.1' });
    closes.push(() => stuck.destroy());
    stuck.on('error', () => {}).pause();
    stuck.write(
      `GET ${new URL(url).pathname}?box=18.9,72.7,19.3,73.1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`,
    );
    await soon('the stream', () => live.size === 2);
    for (let round = 1; round <= 40; round++) {
      await clock.advanceSettled(10);
      await fleet.recordLocations(
        Array.from({ length: 1_000 }, (_, id) => report(clock, { vehicleId: 100 + id, speedKmh: round })),
      );
    }
    await soon('the stuck one to be given up', async () => {
      await clock.advanceSettled(5_000);
      return live.size === 1;
    });
    expect(stream.isOver()).toBe(false);
  });

  it.each([
    ['', 'vehicle'],
    ['?vehicle=MH12AB1234', 'vehicle'],
    ['?vehicle=', 'vehicle'],
    [`?vehicle=${','.repeat(1_000)}`, 'vehicle'],
    ['?region=Mumbai', 'region'],
    ['?box=1,2,3', 'box'],
    ['?box=1,2,3,x', 'box'],
    ['?box=2,1,1,2', 'box'],
    ['?box=8,68,35,97', 'box'],
    ['?box=1,1,2,2&box=1,1,2,2', 'box'],
    ['?vehicle=1&speed=3', 'speed'],
  ])('answers 400 to %s, and names the field', async (query, field) => {
    const { url, fleet } = await openLive();
    const refused = await fetch(`${url}${query}`, { headers: BEARER });
    expect(refused.status).toBe(400);
    expect(await refused.json()).toEqual({
      error: { code: 'invalid-value', field, message: expect.stringContaining(field) },
    });
    expect(fleet.stats().subscribers).toBe(0);
  });

  it.each([
    ['nothing', {}],
    ['another token', { authorization: `Bearer ${TOKEN}x` }],
    ['a part of it', { authorization: `Bearer ${TOKEN.slice(0, -1)}` }],
    ['another scheme', { authorization: `Basic ${TOKEN}` }],
    ['no token', { authorization: 'Bearer ' }],
  ])('answers 401 to who sends %s, before all else', async (_, headers) => {
    const { url, accesses } = await openLive();
    const refused = await fetch(`${url}?vehicle=nobody`, { headers: headers as Record<string, string> });
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="fleet"']);
    expect(await refused.text()).not.toContain(TOKEN);
    expect(accesses).toEqual([{ what: 'refused', address: '127.0.0.1', status: 401 }]);
  });

  it('takes each of two tokens while they are changed', async () => {
    const other = 'another-token-that-is-long-enough-too';
    const { url } = await openLive([other, TOKEN]);
    for (const token of [other, TOKEN]) {
      expect((await listen(`${url}?vehicle=1`, { authorization: `Bearer ${token}` })).status).toBe(200);
    }
  });

  it.each(['', 'short', 'with a blank in the middle of it, and long enough', []])(
    'cannot be opened with %j',
    (token) => {
      const { fleet, clock } = openFleet();
      expect(() => openLiveStream(fleet, clock, { token })).toThrow(
        expect.objectContaining({ code: 'invalid-options', field: 'token' }),
      );
    },
  );

  it('refuses another method, the 65th stream, and what comes when it is closed', async () => {
    const { url, live } = await openLive();
    const posted = await fetch(`${url}?vehicle=1`, { method: 'POST', headers: BEARER });
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET']);
    const streams = await Promise.all(Array.from({ length: 64 }, () => listen(`${url}?vehicle=1`)));
    expect(live.size).toBe(64);
    const refused = await fetch(`${url}?vehicle=1`, { headers: BEARER });
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
    streams[0]?.response.destroy();
    await soon('a free place', async () => (await listen(`${url}?vehicle=1`)).status === 200);
    live.close();
    await soon('all to end', () => streams.every((one) => one.isOver()));
    expect((await fetch(`${url}?vehicle=1`, { headers: BEARER })).status).toBe(503);
  });
});

describe('a daemon', () => {
  it('tells nobody where vehicles are unless it is configured to, and then of what other nodes record', async () => {
    const { url: database, drop } = await createOwnDatabase();
    closes.push(drop);
    const tables = openFleetDatabase(database);
    closes.push(() => tables.close());
    await tables.migrate();
    const config = { city: 'pune', redis: { nodes: inject('redisClusterNodes'), prefix: makeOwnPrefix() } };
    const cache = await createCache(config);
    closes.push(() => cache.close());
    const fleet = createFleet({ cache, repository: tables.repository });
    closes.push(() => fleet.close());
    const move = (speedKmh: number) =>
      fleet.recordLocation({ vehicleId: 7, lat: 18.52, lon: 73.85, speedKmh, engineOn: true, at: Date.now() });
    const listenOn = { listen: '127.0.0.1:0' };
    const options = { version: '0.0.0', onMistake: () => {} };

    const without = await startDaemon({ cache: config, http: listenOn }, options);
    closes.push(() => without.close());
    expect((await fetch(new URL('/fleet/live?vehicle=7', without.url), { headers: BEARER })).status).toBe(404);

    const bad = { cache: config, http: listenOn, fleet: { database, token: 'short' } };
    await expect(startDaemon(bad, options)).rejects.toMatchObject({ code: 'invalid-config', field: 'fleet.token' });

    await move(10);
    const daemon = await startDaemon({ cache: config, http: listenOn, fleet: { database, token: TOKEN } }, options);
    closes.push(() => daemon.close());
    expect((await fetch(new URL('/fleet/live?vehicle=7', daemon.url))).status).toBe(401);
    const stream = await listen(new URL('/fleet/live?box=18.5,73.8,18.6,73.9', daemon.url).href);
    await soon('the present state', () => stream.told().includes('current'));
    await move(20);
    await soon('the move', () => stream.told().includes('message 7@20'));
    expect(stream.told().filter((one) => one.startsWith('message'))).toEqual(['message 7@10', 'message 7@20']);
    expect((await fetch(new URL('/healthz', daemon.url))).status).toBe(200);
  });

  it('follows what others write to the database, says so in its metrics, and is gone from it when it is closed', async () => {
    const { url, other, close } = await openChangeDatabase(inject('databaseUrl'));
    closes.push(close);
    const cache = { city: 'pune', redis: { nodes: inject('redisClusterNodes'), prefix: makeOwnPrefix() } };
    const options = { version: '0.0.0', onMistake: () => {} };
    const http = { listen: '127.0.0.1:0' };
    const daemon = await startDaemon({ cache, http, fleet: { database: url, token: TOKEN } }, options);
    const node = await createCache(cache);
    closes.push(() => node.close());
    const metrics = async () => (await fetch(new URL('/metrics', daemon.url))).text();
    await soon('somebody to read', async () => /^fleetflow_change_feed_reading\{.*\} 1$/m.test(await metrics()));
    expect(await metrics()).toContain('fleetflow_fleet_reports_total{outcome="newest"} 0');
    await node.set('vehicle:details:7', { model: 'Prima' });
    await other.query(`update vehicles set model = 'Signa' where id = 7`);
    await soon('the entry to be gone', async () => (await node.get('vehicle:details:7')) === undefined);
    await daemon.close();
    await soon('its connections to be gone', async () => (await other.query(OTHERS)).rows.length === 0);
  });

  it('says once what keeps it from following, and goes on', async () => {
    const { url, drop } = await createOwnDatabase();
    closes.push(drop);
    const mistakes: string[] = [];
    const options = { version: '0.0.0', onMistake: ({ message }: Error) => mistakes.push(message) };
    const fleet = { database: url, token: TOKEN };
    const daemon = await startDaemon({ http: { listen: '127.0.0.1:0' }, fleet }, options);
    closes.push(() => daemon.close());
    const reconnects = async () =>
      Number(
        /^fleetflow_change_feed_reconnects_total (\d+)$/m.exec(
          await (await fetch(new URL('/metrics', daemon.url))).text(),
        )?.[1],
      );
    await soon('three tries', async () => (await reconnects()) >= 3);
    expect(mistakes).toEqual([
      expect.stringMatching(/^fleet\.database: its changes cannot be followed: .*fleetflow_change_readers/),
    ]);
  });
});
