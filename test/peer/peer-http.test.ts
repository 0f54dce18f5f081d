import { connect, type Socket } from 'node:net';
import { Agent } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tombstone } from '../../src/core/entry.js';
import { systemClock } from '../../src/node/system-clock.js';
import { call, type PeerNode, startNode, startNodes, stopNodes, until } from './peer-nodes.js';
import { signedHead, signedHeaders } from './signing.js';

const MIB = 1_048_576;

interface Asked {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
  readonly bytes: Buffer;
  readonly json: { readonly error: { readonly code: string; readonly message: string } };
}

let nodes: PeerNode[];
/** Sends paths as they are; what takes a URL would normalise the dots in them. */
const agent = new Agent();

beforeAll(async () => {
  nodes = await startNodes(3);
});
afterAll(async () => {
  await stopNodes(nodes);
  await agent.close();
});

async function ask(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: string | Uint8Array,
  node = nodes[0]!,
): Promise<Asked> {
  const { address } = node.peers;
  const reply = await agent.request({
    origin: `http://${address}`,
    path,
    method,
    headers: signedHeaders({ method, path, address, headers, body }),
    body: body ?? null,
  });
  const bytes = Buffer.from(await reply.body.arrayBuffer());
  const text = bytes.toString('utf8');
  const isJson = reply.headers['content-type'] === 'application/json';
  return { status: reply.statusCode, headers: reply.headers, text, bytes, json: isJson ? JSON.parse(text) : undefined };
}

function put(key: string, body: string | Uint8Array, headers: Record<string, string> = {}, node?: PeerNode) {
  const path = `/internal/cache/set/${encodeURIComponent(key)}`;
  return ask('PUT', path, { 'x-fleetflow-ttl': '60s', ...headers }, body, node);
}

function get(key: string, headers: Record<string, string> = {}, node?: PeerNode) {
  return ask('GET', `/internal/cache/get/${encodeURIComponent(key)}`, headers, undefined, node);
}

/** A socket on which a test speaks HTTP by itself; `said` is all that came back. */
async function speak(text: string): Promise<{ socket: Socket; said: () => string; closed: () => boolean }> {
  const [host = '', port = ''] = nodes[0]!.peers.address.split(':');
  const socket = connect(Number(port), host);
  let said = '';
  let isClosed = false;
  socket.on('data', (chunk) => {
    said += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    isClosed = true;
  });
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(text);
  return { socket, said: () => said, closed: () => isClosed };
}

describe('the peer port, for people and other languages', () => {
  it('gives back the bytes that were put, with what is known about them, at whichever node one asks', async () => {
    const payload = Uint8Array.of(0x93, 1, 2, 3, 0, 255);
    const eventTime = String(Date.now() - 5_000);
    const stored = await put('vehicle:location:42', payload, {
      'x-fleetflow-tags': `type:location,${encodeURIComponent('a,b')},${encodeURIComponent('région')}`,
      'x-fleetflow-event-time': eventTime,
      'x-fleetflow-ttl': '30s',
    });
    expect(stored.status).toBe(200);
    const { outcome, version } = JSON.parse(stored.text);
    expect(outcome).toBe('stored');
    expect(version).toMatch(/^[0-9a-f]{40}$/);
    expect(Number.parseInt(version.slice(0, 12), 16)).toBe(Number(eventTime));
    for (const node of nodes) {
      const { status, headers, bytes } = await get('vehicle:location:42', {}, node);
      expect(status).toBe(200);
      expect(bytes).toEqual(Buffer.from(payload));
      expect(headers).toMatchObject({
        'x-fleetflow-version': version,
        'x-fleetflow-kind': 'value',
        'x-fleetflow-tags': `type%3Alocation,a%2Cb,r%C3%A9gion`,
        'content-type': 'application/octet-stream',
      });
      const leftMs = Number(headers['x-fleetflow-fresh-until']) - Date.now();
      expect(leftMs > 0 && leftMs <= 30_000).toBe(true);
    }
  });

  it('keeps a put only at its owners', async () => {
    await put('only:owners', 'x');
    const owners = new Set(nodes[0]!.peers.ownersOf('only:owners').map(({ address }) => address));
    expect(owners.size).toBe(2);
    for (const node of nodes) {
      const own = await get('only:owners', { 'x-fleetflow-hops': '1' }, node);
      expect(own.status).toBe(owners.has(node.peers.address) ? 200 : 404);
    }
  });

  it('keeps the newer event, and says that the older one was superseded', async () => {
    const newer = String(Date.now());
    const older = String(Date.now() - 60_000);
    await put('event', 'new', { 'x-fleetflow-event-time': newer });
    const late = JSON.parse((await put('event', 'old', { 'x-fleetflow-event-time': older })).text);
    expect(late.outcome).toBe('superseded');
    expect(Number.parseInt(late.version.slice(0, 12), 16)).toBe(Number(newer));
    expect((await get('event')).text).toBe('new');
  });

  it('does not let an event from the future win for ever', async () => {
    const { text } = await put('future', 'x', { 'x-fleetflow-event-time': String(Date.UTC(2080, 0, 1)) });
    const eventMs = Number.parseInt(JSON.parse(text).version.slice(0, 12), 16);
    expect(eventMs).toBeLessThanOrEqual(Date.now() + 5_000);
  });

  it('answers 404 for a miss, 410 for what was deleted, 204 for what the source does not have', async () => {
    expect((await get('never:put')).json.error.code).toBe('miss');
    const wallMs = systemClock.wallMs();
    const deletion = tombstone(
      { ms: wallMs, counter: 0 },
      { eventTimeMs: 1, hlc: { ms: 1, counter: 0 }, origin: 1 },
      wallMs,
      60_000,
    );
    const absent = { ...deletion, kind: 'absent' as const, fence: { ms: 0, counter: 0 } };
    await nodes[1]!.peers.tier.write(
      [
        { key: 'gone', entry: deletion, mode: 'set' },
        { key: 'absent', entry: absent, mode: 'set' },
      ],
      call(),
    );
    const gone = await get('gone');
    expect([gone.status, gone.json.error.code, gone.headers['x-fleetflow-kind']]).toEqual([
      410,
      'deleted',
      'tombstone',
    ]);
    const nothing = await get('absent');
    expect([nothing.status, nothing.text, nothing.headers['x-fleetflow-kind']]).toEqual([204, '', 'absent']);
  });

  it('does not serve what an invalidated tag covers', async () => {
    await put('tagged', 'x', { 'x-fleetflow-tags': 'region:pune' });
    expect((await get('tagged')).status).toBe(200);
    nodes[0]!.floors.raise({ scope: 'tag', subject: 'region:pune', hlc: { ms: Date.now() + 400, counter: 0 } });
    expect((await get('tagged')).status).toBe(404);
  });

  it('takes keys as they are: dots, slashes, NUL, percent signs and any script are only characters', async () => {
    const keys = ['../../etc/passwd', '..%2f..', 'a\0b', 'a b?c#d', '//', '.', 'वाहन:🚚', '%', 'a\r\nhost: x'];
    for (const key of keys) {
      expect((await put(key, `value of ${key}`)).status).toBe(200);
      expect((await get(key)).text).toBe(`value of ${key}`);
    }
    expect((await get('etc/passwd')).status).toBe(404);
  });

  it('takes slashes and dots that nobody encoded as part of the key', async () => {
    await put('../a/./b', 'raw');
    const { address } = nodes[0]!.peers;
    const head = signedHead({ method: 'GET', path: '/internal/cache/get/../a/./b', address });
    const { socket, said } = await speak(`${head}connection: close\r\n\r\n`);
    await until('the answer came', () => said().endsWith('raw'));
    expect(said()).toMatch(/^HTTP\/1\.1 200 /);
    socket.destroy();
  });

  it.each([
    ['a key of 2,000 bytes', 414, 'invalid-key', '/internal/cache/get/', 'k'.repeat(2_000)],
    [
      'a key of 1,025 bytes of UTF-8',
      414,
      'invalid-key',
      '/internal/cache/get/',
      encodeURIComponent(`${'ж'.repeat(512)}k`),
    ],
    ['an empty key', 400, 'invalid-key', '/internal/cache/get/', ''],
    ['a broken percent sign', 400, 'invalid-key', '/internal/cache/get/', '%zz'],
    ['bytes that are not UTF-8', 400, 'invalid-key', '/internal/cache/get/', '%ff%fe'],
    ['a question mark that is not encoded', 400, 'invalid-key', '/internal/cache/get/', 'a?b=c'],
  ])('refuses %s with %i', async (_what, status, code, prefix, rest) => {
    const refused = await ask('GET', prefix + rest);
    expect([refused.status, refused.json.error.code]).toEqual([status, code]);
    expect(refused.json.error.message.length).toBeGreaterThan(10);
  });

  it('takes a key of exactly 1,024 bytes', async () => {
    const key = 'ж'.repeat(512);
    expect((await put(key, 'x')).status).toBe(200);
    expect((await get(key)).text).toBe('x');
  });

  it.each([
    ['no TTL', { 'x-fleetflow-ttl': '' }, /x-fleetflow-ttl/],
    ['a negative TTL', { 'x-fleetflow-ttl': '-5' }, /x-fleetflow-ttl/],
    ['a TTL of 0', { 'x-fleetflow-ttl': '0' }, /x-fleetflow-ttl/],
    ['a TTL of 1,000 days', { 'x-fleetflow-ttl': '1000d' }, /x-fleetflow-ttl/],
    ['an event time that is no number', { 'x-fleetflow-event-time': 'now' }, /x-fleetflow-event-time/],
    ['33 tags', { 'x-fleetflow-tags': Array.from({ length: 33 }, (_, i) => `t${i}`).join(',') }, /tags/],
    ['a tag that is not UTF-8', { 'x-fleetflow-tags': '%ff' }, /x-fleetflow-tags/],
  ])('refuses a put with %s with 400, and keeps nothing', async (_what, headers, message) => {
    const refused = await put('refused', 'x', headers as Record<string, string>);
    expect(refused.status).toBe(400);
    expect(refused.json.error.message).toMatch(message);
    expect((await get('refused')).status).toBe(404);
  });

  it('refuses a put without a body', async () => {
    expect((await put('empty', '')).json.error.code).toBe('invalid-value');
  });

  it('refuses what is too large with 413 and goes on', async () => {
    const refused = await put('big', new Uint8Array(10 * MIB));
    expect([refused.status, refused.json.error.code]).toEqual([413, 'too-large']);
    const batch = await ask('POST', '/internal/cache/batch', {}, new Uint8Array(9 * MIB));
    expect(batch.status).toBe(413);
    expect((await put('big', new Uint8Array(3 * MIB))).status).toBe(200);
    expect((await get('big')).bytes).toHaveLength(3 * MIB);
  });

  it('says which methods a path takes', async () => {
    const refused = await ask('DELETE', '/internal/cache/get/x');
    expect([refused.status, refused.headers.allow]).toEqual([405, 'GET']);
    expect((await ask('PUT', '/internal/cache/floors', {}, '{}')).headers.allow).toBe('GET, POST');
    for (const path of ['/', '/internal/cache', '/internal/cache/', '/internal/cache/other', '/metrics']) {
      expect((await ask('GET', path)).status).toBe(404);
    }
  });

  it('refuses a request that was handed on more than once', async () => {
    for (const hops of ['2', '-1', 'x', '1, 1']) {
      const refused = await get('x', { 'x-fleetflow-hops': hops });
      expect([refused.status, refused.json.error.code]).toEqual([400, 'too-many-hops']);
    }
    expect((await get('x', { 'x-fleetflow-hops': '1' })).status).toBe(404);
  });

  it('shows who is there', async () => {
    const { json } = await ask('GET', '/internal/cache/members');
    const shown = json as unknown as {
      node: { address: string };
      epoch: string;
      members: { address: string; status: string }[];
    };
    expect(shown.node.address).toBe(nodes[0]!.peers.address);
    expect(shown.epoch).toBe(nodes[2]!.peers.epoch());
    expect(shown.members.map(({ address, status }) => `${address} ${status}`).sort()).toEqual(
      nodes
        .slice(1)
        .map((node) => `${node.peers.address} up`)
        .sort(),
    );
  });

  it('refuses malformed batches and floors with 400', async () => {
    for (const body of ['', 'FFC', '{}']) {
      expect((await ask('POST', '/internal/cache/batch', {}, body)).status).toBe(400);
      expect((await ask('POST', '/internal/cache/floors', {}, body)).status).toBe(400);
    }
  });

  it('refuses floors from a clock that is far ahead, and takes none of them', async () => {
    const ahead = (Date.now() + 60_000).toString(16).padStart(12, '0');
    const floors = [
      { scope: 'tag', subject: 'fine', hlc: '0000000000010000' },
      { scope: 'tag', subject: 'ahead', hlc: `${ahead}0000` },
    ];
    const refused = await ask('POST', '/internal/cache/floors', {}, JSON.stringify({ floors }));
    expect([refused.status, refused.json.error.code]).toEqual([403, 'clock-drift']);
    expect(refused.json.error.message).toMatch(/clock/);
    const known = JSON.parse((await ask('GET', '/internal/cache/floors')).text).floors;
    expect(known.map(({ subject }: { subject: string }) => subject)).not.toContain('fine');
  });

  it('answers what is not HTTP, and headers without end, with an error, and lives on', async () => {
    const nonsense = await speak('this is no HTTP\r\n\r\n');
    await until('nonsense was refused', () => nonsense.closed());
    expect(nonsense.said()).toMatch(/^HTTP\/1\.1 400 .*"code":"malformed"/s);
    const endless = await speak(`GET / HTTP/1.1\r\nhost: x\r\n${`x: ${'y'.repeat(1_000)}\r\n`.repeat(80)}`);
    await until('endless headers were refused', () => endless.closed());
    expect(endless.said()).toMatch(/^HTTP\/1\.1 431 /);
    expect((await get('x')).status).toBe(404);
  });

  it('turns requests away with 503 while too many are under way, and takes them again afterwards', async () => {
    const { address } = nodes[0]!.peers;
    const put = { method: 'PUT', path: '/internal/cache/set/half', address, headers: { 'x-fleetflow-ttl': '60s' } };
    const half = () => `${signedHead(put)}content-length: 2\r\n\r\nh`;
    // Some more than there is room for: one that is lost on the way must not leave a place.
    const spoken = await Promise.all(Array.from({ length: 300 }, () => speak(half())));
    await until('the node is busy', async () => (await get('x')).status === 503);
    const refused = await get('x');
    expect([refused.json.error.code, refused.headers['retry-after']]).toEqual(['overloaded', '1']);
    for (const { socket } of spoken) socket.destroy();
    await until('the node is free again', async () => (await get('x')).status === 404);
  });

  it('serves several requests on one connection', async () => {
    const { address } = nodes[0]!.peers;
    const one = () => `${signedHead({ method: 'GET', path: '/internal/cache/get/none', address })}\r\n`;
    const { socket, said } = await speak(one());
    await until('the first answer came', () => said().includes('"miss"'));
    socket.write(one());
    await until('the second answer came', () => said().split('"miss"').length === 3);
    expect(said()).not.toMatch(/connection: close/i);
    socket.destroy();
  });
});

describe('starting a node', () => {
  it('names the address that is in use, and what to do about it', async () => {
    const listen = nodes[0]!.peers.address;
    await expect(startNode({ listen })).rejects.toMatchObject({
      name: 'CacheError',
      code: 'address-in-use',
      field: 'peers.listen',
      message: expect.stringContaining(`${listen}, which another process listens on: stop that one, or choose another`),
    });
  });

  it.each([
    ['peers.listen', { listen: '127.0.0.1' }],
    ['peers.listen', { listen: '127.0.0.1:65536' }],
    ['peers.listen', { listen: '192.0.2.1:0' }],
    ['peers.advertise', { listen: '0.0.0.0:0' }],
    ['peers.advertise', { advertise: 'no port' }],
    ['peers.seeds', { seeds: ['127.0.0.1:7946', 'nowhere'] }],
    ['peers.secret', { secret: '' }],
    ['peers.secret', { secret: 'with space' }],
    ['peers.replicas', { replicas: 0 }],
    ['peers.maxBytes', { maxBytes: 0.5 }],
    ['nodeId', { nodeId: 'xyz' }],
  ])('refuses a bad %s before anything is opened: %j', async (field, change) => {
    await expect(startNode(change)).rejects.toMatchObject({ code: 'invalid-config', field });
  });

  it('can listen again at once where it listened before', async () => {
    const first = await startNode();
    const { address } = first.peers;
    await first.peers.close();
    const second = await startNode({ listen: address });
    expect(second.peers.address).toBe(address);
    await second.peers.close();
  });
});
