import { createServer, get, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitUntil } from '../../src/cli/servers/wait.js';
import type { CacheError } from '../../src/core/errors.js';
import { type HttpServer, type HttpSource, startHttpServer } from '../../src/node/http-server.js';
import type { PageData } from '../../src/node/page-data.js';
import { VirtualClock } from '../virtual-clock.js';

const BOUND_MS = 10_000;
const TICK_MS = 1_000;

const emptyPage: PageData = {
  title: 'Test',
  city: 'pune',
  uptimeMs: 0,
  nodes: [],
  totals: {
    readsPerSecond: 0,
    writesPerSecond: 0,
    hitRate: null,
    databaseQueriesPer1000Reads: null,
    reads: 0,
    failedReads: 0,
    staleServed: 0,
  },
  levels: [],
  log: [],
};

let page: () => PageData;
let healthy: boolean;
let clock: VirtualClock;
let server: HttpServer;
const opened: IncomingMessage[] = [];

beforeEach(async () => {
  page = () => emptyPage;
  healthy = true;
  clock = new VirtualClock();
  const source: HttpSource = {
    metricsText: () => '# HELP a_total A.\n# TYPE a_total counter\na_total 1\n',
    stats: () => ({ reads: 12 }),
    health: () => ({ ok: healthy, levels: { local: 'ok' } }),
    page: () => page(),
  };
  server = await startHttpServer({ port: 0, field: 'http.port', source, clock });
});

afterEach(async () => {
  for (const response of opened.splice(0)) response.destroy();
  await server.close();
});

const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(new URL(path, server.url), { ...init, signal: AbortSignal.timeout(BOUND_MS) });

interface Reader {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** What has come so far. */
  readonly events: PageData[];
  readonly isOver: () => boolean;
  readonly leave: () => void;
}

/** Opens `/events` on a connection of its own and reads it. */
async function listen(): Promise<Reader> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(new URL('/events', server.url), { agent: false }, resolve).on('error', reject);
  });
  opened.push(response);
  const events: PageData[] = [];
  let over = false;
  let rest = '';
  response.setEncoding('utf8').on('data', (part: string) => {
    const lines = (rest + part).split('\n\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.startsWith('data: ')) events.push(JSON.parse(line.slice(6)) as PageData);
  });
  response.on('error', () => {});
  response.on('close', () => {
    over = true;
  });
  const { statusCode: status = 0, headers } = response;
  return { status, headers, events, isOver: () => over, leave: () => response.destroy() };
}

const until = (what: string, check: () => boolean): Promise<void> => waitUntil({ what, boundMs: BOUND_MS }, check);

describe('the HTTP server of a node', () => {
  it('gives metrics as text, statistics and health as JSON', async () => {
    const metrics = await ask('/metrics');
    expect(metrics.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await metrics.text()).toContain('a_total 1\n');
    const stats = await ask('/stats?pretty');
    expect(stats.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(await stats.json()).toEqual({ reads: 12 });
    const health = await ask('/healthz');
    expect([health.status, await health.json()]).toEqual([200, { ok: true, levels: { local: 'ok' } }]);
  });

  it('answers 503 when the process is not well', async () => {
    healthy = false;
    const health = await ask('/healthz');
    expect([health.status, await health.json()]).toEqual([503, { ok: false, levels: { local: 'ok' } }]);
  });

  it('answers HEAD with the headers alone', async () => {
    const head = await ask('/stats', { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(head.headers.get('content-length')).toBe('13');
    expect(await head.text()).toBe('');
  });

  it('says which paths there are when asked for another, and which methods when asked by another', async () => {
    const lost = await ask('/nothing');
    expect(lost.status).toBe(404);
    expect(await lost.json()).toEqual({
      error: { code: 'not-found', message: expect.stringMatching(/\/nothing .*\/metrics.*\/events/) },
    });
    const posted = await ask('/metrics', { method: 'POST', body: 'x' });
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    expect(await posted.json()).toMatchObject({ error: { code: 'method-not-allowed' } });
    const head = await ask('/events', { method: 'HEAD' });
    expect([head.status, head.headers.get('allow')]).toEqual([405, 'GET']);
  });

  it('answers 500 with the reason, and lives on, when the numbers cannot be had', async () => {
    page = () => {
      throw new Error('node-2 is silent');
    };
    const failed = await ask('/events');
    expect(failed.status).toBe(500);
    expect(await failed.json()).toEqual({ error: { code: 'internal', message: '/events failed: node-2 is silent' } });
    expect((await ask('/healthz')).status).toBe(200);
  });

  it('serves a page that needs nothing from elsewhere and nothing inline', async () => {
    const html = await (await ask('/')).text();
    const links = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, link]) => link ?? '');
    expect(links).toEqual(expect.arrayContaining(['page.js', 'page.css', 'page.svg']));
    for (const link of links) expect((await ask(`/${link}`)).status, link).toBe(200);
    expect(html).not.toMatch(/<style|\sstyle=|<script(?![^>]*\ssrc=)|\son[a-z]+=/i);
    const [script, style] = await Promise.all([ask('/page.js'), ask('/page.css')]);
    expect(script.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(`${await script.text()}${await style.text()}`).not.toMatch(
      /https?:|\/\/[a-z]+\.|innerHTML|insertAdjacentHTML|@import|url\(/,
    );
  });

  it('tells the browser to trust nothing but its own files, on every answer', async () => {
    for (const path of ['/', '/page.js', '/metrics', '/stats', '/healthz', '/nothing']) {
      const { headers } = await ask(path);
      expect(headers.get('content-security-policy'), path).toMatch(
        /^default-src 'none'; script-src 'self'; style-src 'self';.*frame-ancestors 'none'$/,
      );
      expect(headers.get('x-content-type-options'), path).toBe('nosniff');
      expect(headers.get('cache-control'), path).toBe('no-store');
    }
  });

  it('names the field of a port that is in use', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    const source = { metricsText: () => '', stats: () => ({}), health: () => ({ ok: true }), page: () => emptyPage };
    const error = await startHttpServer({ port, field: 'demo.port', source, clock }).catch(
      (thrown: CacheError) => thrown,
    );
    expect(error).toMatchObject({ name: 'CacheError', code: 'address-in-use', field: 'demo.port' });
    expect((error as CacheError).message).toContain(`demo.port: 127.0.0.1:${port} is in use`);
    const bad = await startHttpServer({ port: 70_000, field: 'demo.port', source, clock }).catch((thrown) => thrown);
    expect(bad).toMatchObject({ name: 'CacheError', code: 'invalid-config', field: 'demo.port' });
    await new Promise((resolve) => other.close(resolve));
  });
});

describe('the events', () => {
  it('come at once and then each second, whole, to everybody who listens', async () => {
    const [a, b] = [await listen(), await listen()];
    page = () => ({ ...emptyPage, uptimeMs: 1_000 });
    clock.advance(TICK_MS);
    await until('two events each', () => a.events.length === 2 && b.events.length === 2);
    expect(a.events.map(({ uptimeMs }) => uptimeMs)).toEqual([0, 1_000]);
    expect(a.headers['content-type']).toBe('text/event-stream; charset=utf-8');
  });

  it('stop being made when nobody listens any more', async () => {
    const only = await listen();
    expect(clock.pending).toBe(1);
    only.leave();
    await until('the clock to be left alone', () => clock.pending === 0);
  });

  it('are refused to the 33rd listener, and given again when one has gone', async () => {
    const listeners = await Promise.all(Array.from({ length: 32 }, () => listen()));
    const refused = await ask('/events');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await refused.json()).toMatchObject({ error: { code: 'overloaded' } });
    listeners[0]!.leave();
    await waitUntil({ what: 'a free place', boundMs: BOUND_MS }, async () => (await listen()).status === 200);
  });

  it('end for a listener that does not read them, and for nobody else', async () => {
    page = () => ({ ...emptyPage, title: 'x'.repeat(1_000_000) });
    const lazy = connect({ port: server.port, host: '127.0.0.1' }).pause();
    const lazyEnd = new Promise((resolve) => lazy.on('error', resolve).on('close', resolve));
    await new Promise<void>((resolve) => lazy.write('GET /events HTTP/1.1\r\nHost: x\r\n\r\n', () => resolve()));
    const keen = await listen();
    // The kernel takes some events for the lazy one before the server notices.
    for (let sent = 1; sent <= 60; sent++) {
      await until(`event ${sent}`, () => keen.events.length === sent);
      clock.advance(TICK_MS);
    }
    let lazyBytes = 0;
    lazy.on('data', (part) => {
      lazyBytes += part.length;
    });
    lazy.resume();
    await lazyEnd;
    expect(lazyBytes).toBeLessThan(50_000_000);
    expect(keen.isOver()).toBe(false);
  });

  it('end when the numbers can no longer be had', async () => {
    const one = await listen();
    page = () => {
      throw new Error('gone');
    };
    clock.advance(TICK_MS);
    await until('the end', one.isOver);
    expect(clock.pending).toBe(0);
  });
});

describe('close', () => {
  it('ends listeners and idle connections, frees the port, and may be called twice', async () => {
    const one = await listen();
    await ask('/stats');
    const { port } = server;
    await Promise.all([server.close(), server.close()]);
    await until('the listener to be ended', one.isOver);
    expect(clock.pending).toBe(0);
    const source = { metricsText: () => '', stats: () => ({}), health: () => ({ ok: true }), page: () => emptyPage };
    server = await startHttpServer({ port, field: 'http.port', source, clock });
    expect(server.port).toBe(port);
  });

  it('does not wait for a request that never ends', async () => {
    const socket = connect(server.port, '127.0.0.1');
    await new Promise<void>((resolve) => socket.write('GET /stats HTTP/1.1\r\nHost: x\r\nX-Never:', () => resolve()));
    await ask('/stats');
    const closed = server.close();
    clock.advance(1_000);
    await closed;
    await until('the socket to be closed', () => socket.closed || socket.readableEnded || socket.destroyed);
    socket.destroy();
  });
});
