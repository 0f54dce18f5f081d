import { connect } from 'node:net';
import { Agent } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/node/system-clock.js';
import { type PeerNode, SECRET, startNode, stopNodes, until } from './peer-nodes.js';
import { freshNonce, type Signing, signedHead, signedHeaders } from './signing.js';

const OTHER_SECRET = 'the-next-secret-of-this-city';
const MIB = 1_048_576;

let node: PeerNode;
/** Why this node refused, once for each time. */
let refused: string[] = [];
const agent = new Agent();

beforeAll(async () => {
  node = await startNode({ secret: [SECRET, OTHER_SECRET], onRefused: (reason) => refused.push(reason) });
});
afterAll(async () => {
  await stopNodes([node]);
  await agent.close();
});

type Asking = Omit<Signing, 'address'>;

/** Sends what `sent` changes of the request that `signed` describes. */
async function send(signed: Asking, sent: Partial<Asking> & { authorization?: string | null } = {}, at = node) {
  const { address } = at.peers;
  const { method, path, body, headers } = { ...signed, ...sent };
  const { authorization, host } = signedHeaders({ ...signed, address });
  const given = sent.authorization === undefined ? authorization : sent.authorization;
  const reply = await agent.request({
    origin: `http://${address}`,
    path,
    method: method as 'GET',
    headers: { ...headers, host, ...(given === null ? {} : { authorization: given }) },
    body: body ?? null,
  });
  const text = await reply.body.text();
  const json = text.startsWith('{"error"')
    ? (JSON.parse(text) as { error: { code: string; message: string } })
    : undefined;
  return {
    status: reply.statusCode,
    headers: reply.headers,
    text,
    code: json?.error.code,
    message: json?.error.message,
  };
}

const PUT = (key: string, body = 'x'): Asking => ({
  method: 'PUT',
  path: `/internal/cache/set/${encodeURIComponent(key)}`,
  headers: { 'x-fleetflow-ttl': '60s' },
  body,
});
const GET = (key: string): Asking => ({ method: 'GET', path: `/internal/cache/get/${encodeURIComponent(key)}` });

async function textOf(key: string): Promise<string | undefined> {
  const { status, text } = await send(GET(key));
  return status === 200 ? text : undefined;
}

/** Sends bytes as they are; resolves with all that came back when the other side has closed. */
function speak(text: string | Buffer, at = node): Promise<string> {
  const [host = '', port = ''] = at.peers.address.split(':');
  return new Promise((resolve) => {
    let said = '';
    const socket = connect(Number(port), host, () => socket.write(text));
    socket.on('data', (chunk) => {
      said += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(said));
  });
}

describe('the door of a node', () => {
  it.each([
    ['without a signature', null, 'unsigned'],
    ['with the secret itself', `Bearer ${SECRET}`, 'unsigned'],
    ['with half a signature', 'FFC1 00000000 1700000000000', 'unsigned'],
  ])('refuses what comes %s, whatever is asked, and says what to do', async (_what, authorization, code) => {
    for (const path of ['/internal/cache/get/x', '/internal/cache/members', '/nothing']) {
      const reply = await send({ method: 'GET', path }, { authorization });
      expect([reply.status, reply.code, reply.headers['www-authenticate']]).toEqual([401, code, 'FFC1']);
      expect(reply.message).toMatch(/Sign it with peers\.secret, as "authorization: FFC1 <key> /);
      expect(reply.message).not.toContain(SECRET);
    }
    expect((await send(PUT('refused'), { authorization })).status).toBe(401);
    expect(await textOf('refused')).toBeUndefined();
    expect(refused.slice(-4)).toEqual([code, code, code, code]);
  });

  it('refuses another secret, and says which field that is', async () => {
    const reply = await send({ ...PUT('refused'), secret: 'some-other-secret' });
    expect([reply.status, reply.code]).toEqual([401, 'unauthorized']);
    expect(reply.message).toMatch(/another secret.*peers\.secret/);
    expect(await textOf('refused')).toBeUndefined();
  });

  it.each([
    ['another method', { method: 'POST' }],
    ['another key', { path: '/internal/cache/set/another' }],
    ['another TTL', { headers: { 'x-fleetflow-ttl': '61s' } }],
    ['a tag more', { headers: { 'x-fleetflow-ttl': '60s', 'x-fleetflow-tags': 'a' } }],
    ['a hop more', { headers: { 'x-fleetflow-ttl': '60s', 'x-fleetflow-hops': '1' } }],
  ])('refuses what was signed with %s', async (_what, change) => {
    const reply = await send(PUT('changed'), change);
    expect([reply.status, reply.code]).toEqual([401, 'bad-signature']);
    expect(await textOf('changed')).toBeUndefined();
    expect(refused.at(-1)).toBe('bad-signature');
  });

  it('refuses another body than the one that was signed', async () => {
    const reply = await send(PUT('body', 'mine'), { body: 'hers' });
    expect([reply.status, reply.code]).toEqual([400, 'wrong-digest']);
    expect(await textOf('body')).toBeUndefined();
  });

  it('does a request once, however often it comes', async () => {
    const { address } = node.peers;
    const once = { ...PUT('once', 'first'), nonce: freshNonce(), timeMs: Date.now() };
    const { authorization } = signedHeaders({ ...once, address });
    expect((await send(once)).status).toBe(200);
    expect((await send(PUT('once', 'second'))).status).toBe(200);
    for (let i = 0; i < 3; i++) {
      const again = await send(once, { authorization });
      expect([again.status, again.code]).toEqual([409, 'replayed']);
      expect(again.message).toMatch(/accepted before: sign it anew/);
    }
    expect(await textOf('once')).toBe('second');
  });

  it.each([
    [
      'long ago',
      -5_500,
      /^the request is refused: it was signed \d+ ms before the time of this node; 5000 ms are accepted/,
    ],
    ['in the future', 60_000, /(?:5\d{4}|60000) ms after the time of this node/],
  ])('refuses what was signed %s, and says by how much', async (_what, offMs, message) => {
    const reply = await send({ ...GET('x'), timeMs: Date.now() + offMs });
    expect([reply.status, reply.code]).toEqual([401, 'wrong-time']);
    expect(reply.message).toMatch(message);
  });

  it('goes by the time of the city, not by that of its machine', async () => {
    const aheadMs = 3_600_000;
    const clock = { ...systemClock, wallMs: () => Date.now() + aheadMs };
    const elsewhere = await startNode({ clock });
    const now = await send(GET('x'), {}, elsewhere);
    const then = await send({ ...GET('x'), timeMs: Date.now() + aheadMs }, {}, elsewhere);
    expect([now.code, then.code]).toEqual(['wrong-time', 'miss']);
    await stopNodes([elsewhere]);
  });

  it('takes a put only under a name of its own: what was recorded at one node is not done at another', async () => {
    const { authorization } = signedHeaders({ ...PUT('elsewhere'), address: '127.0.0.1:9' });
    const [host = '', port = ''] = node.peers.address.split(':');
    const head = `PUT /internal/cache/set/elsewhere HTTP/1.1\r\nhost: 127.0.0.1:9\r\nauthorization: ${authorization}\r\n`;
    const said = await speak(`${head}x-fleetflow-ttl: 60s\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx`);
    expect(said).toMatch(/^HTTP\/1\.1 421 .*misdirected.*ask it as 127/s);
    expect(said).toContain(`ask it as ${host}:${port}`);
    expect(await textOf('elsewhere')).toBeUndefined();
  });

  it('does not do what was signed before it started: it may have been done', async () => {
    const signed = { ...PUT('before'), timeMs: Date.now() - 1 };
    const started = await startNode({ onRefused: (reason) => refused.push(reason) });
    const early = await send({ ...signed, timeMs: signed.timeMs - 1_000 }, {}, started);
    expect([early.status, early.code]).toEqual([409, 'replayed']);
    expect((await send(PUT('before'), {}, started)).status).toBe(200);
    await stopNodes([started]);
  });

  it('takes both secrets while one is changed for the other', async () => {
    expect((await send({ ...PUT('rotated', 'old'), secret: SECRET })).status).toBe(200);
    expect((await send({ ...PUT('rotated', 'new'), secret: OTHER_SECRET })).status).toBe(200);
    expect(await textOf('rotated')).toBe('new');
  });

  it.each([
    ['../../etc/passwd', '..%2F..%2Fetc%2Fpasswd'],
    ['../a/b', '../a/b'],
    ['a\0b', 'a%00b'],
    ['%2e%2e/', '%252e%252e%2F'],
  ])('takes %j for a key like any other', async (key, path) => {
    expect((await send({ ...PUT('x'), path: `/internal/cache/set/${path}` })).status).toBe(200);
    expect(await textOf(key)).toBe('x');
  });

  it.each([
    ['an overlong slash', '%c0%af'],
    ['an overlong NUL', '%c0%80'],
    ['half a surrogate pair', '%ed%a0%80'],
    ['beyond Unicode', '%f4%90%80%80'],
    ['a byte alone', '%ff'],
    ['half an escape', '%2'],
  ])('refuses %s in a key with 400', async (_what, path) => {
    const reply = await send({ method: 'GET', path: `/internal/cache/get/${path}` });
    expect([reply.status, reply.code, reply.message]).toEqual([400, 'invalid-key', 'key is not percent-encoded UTF-8']);
  });

  it('refuses bytes in a key that nobody encoded, rather than take them for another key', async () => {
    const path = Buffer.from('/internal/cache/get/é', 'utf8').toString('latin1');
    const head = signedHead({ method: 'GET', path, address: node.peers.address });
    const said = await speak(Buffer.from(`${head}connection: close\r\n\r\n`, 'latin1'));
    expect(said).toMatch(/^HTTP\/1\.1 400 .*"code":"malformed"/s);
  });

  it('says before a large body is sent that it will not take it', async () => {
    const head = signedHead({ ...PUT('large'), body: Buffer.alloc(10 * MIB), address: node.peers.address });
    const said = await speak(`${head}content-length: ${10 * MIB}\r\nexpect: 100-continue\r\n\r\n`);
    expect(said).toMatch(/^HTTP\/1\.1 413 .*larger than the \d+ bytes that are allowed/s);
    const unsigned =
      'PUT /internal/cache/set/x HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n';
    expect(await speak(unsigned)).toMatch(/^HTTP\/1\.1 401 /);
  });

  it('asks for a body that it will take', async () => {
    const head = signedHead({ ...PUT('waited', 'hello'), address: node.peers.address });
    const [host = '', port = ''] = node.peers.address.split(':');
    const socket = connect(Number(port), host);
    let said = '';
    socket.on('data', (chunk) => {
      said += chunk.toString('latin1');
    });
    socket.write(`${head}content-length: 5\r\nexpect: 100-continue\r\n\r\n`);
    await until('it asks for the body', () => said.startsWith('HTTP/1.1 100 '));
    socket.write('hello');
    await until('it has taken it', () => said.includes('"outcome":"stored"'));
    socket.destroy();
    expect(await textOf('waited')).toBe('hello');
  });

  it('gives up connections on which nothing comes, and requests that come too slowly', async () => {
    const silent = speak('');
    const slow = speak(`${signedHead({ ...PUT('slow'), address: node.peers.address })}content-length: 1\r\n\r\n`);
    const dripping = speak('GET /internal/cache/get/x HTTP/1.1\r\nx-a: ');
    expect(await silent).toMatch(/^(?:HTTP\/1\.1 408 |$)/);
    expect(await dripping).toMatch(/^HTTP\/1\.1 408 /);
    expect(await slow).toMatch(/^(?:HTTP\/1\.1 408 |$)/);
    expect(await textOf('slow')).toBeUndefined();
  });

  it('tells whoever is refused again and again only that, and goes on serving who is signed as it should be', async () => {
    const limited = await startNode({ onRefused: (reason) => refused.push(reason) });
    const codes = new Map<string | undefined, number>();
    for (let i = 0; i < 300; i++) {
      const { code, status, headers } = await send(GET('x'), { authorization: null }, limited);
      codes.set(code, (codes.get(code) ?? 0) + 1);
      if (code === 'refused-too-often')
        expect([status, headers.connection, headers['retry-after']]).toEqual([429, 'close', '1']);
    }
    expect([...codes.keys()].sort()).toEqual(['refused-too-often', 'unsigned']);
    expect((await send(PUT('served'), {}, limited)).status).toBe(200);
    expect((await send(GET('served'), {}, limited)).text).toBe('x');
    await stopNodes([limited]);
  });

  it('counts each refusal once, by its reason, and says so without keys, values or secrets', async () => {
    refused = [];
    const errors: Error[] = [];
    const told = await startNode({
      onRefused: (reason) => refused.push(reason),
      onError: (error) => errors.push(error),
    });
    for (let i = 0; i < 5; i++) await send(GET('a-private-key'), { authorization: `Bearer ${SECRET}` }, told);
    await send(PUT('a-private-key', 'a-private-value'), { body: 'another-private-value' }, told);
    await send(GET('never-put'), {}, told);
    expect(refused).toEqual([...Array.from({ length: 5 }, () => 'unsigned'), 'wrong-digest']);
    expect(errors.map(({ message }) => message)).toEqual([
      'the peer port refused a GET from 127.0.0.1 (unsigned)',
      'the peer port refused a PUT from 127.0.0.1 (wrong-digest)',
    ]);
    await stopNodes([told]);
  });
});
