/** Redis behind TLS. */
import { type AddressInfo, connect } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { RedisSubject, textOf, valueAt } from './subject.js';

/** A key known to both sides stands in for certificates, which would have to be made and would run out. */
const PSK = { key: Buffer.from('00112233445566778899aabbccddeeff', 'hex'), identity: 'test' };
const SUITE = { ciphers: 'PSK-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' } as const;

let front: Server;
let address: string;

beforeAll(async () => {
  front = createServer({ ...SUITE, pskCallback: () => PSK.key }, (outside) => {
    const inside = connect(Number(inject('redisSingle').split(':')[1]), '127.0.0.1');
    outside.pipe(inside).pipe(outside);
    outside.on('error', () => inside.destroy());
    inside.on('error', () => outside.destroy());
  });
  // A client that does not speak TLS, or does not know the key.
  front.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  address = `127.0.0.1:${(front.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => front.close(resolve)));

it('Redis is reached through TLS with the settings that are given', async () => {
  const tls = {
    ...SUITE,
    pskCallback: () => ({ psk: PSK.key, identity: PSK.identity }),
    checkServerIdentity: () => undefined,
  };
  const { redis, read, write } = await open({ tls });
  expect(await write('k', valueAt(5))).toEqual({ kind: 'stored' });
  expect(textOf(await read('k'))).toBe('value 5');
  expect(redis.health()).toEqual([{ shard: address, ok: true }]);
  await redis.close();
});

it.each([
  ['without TLS', {}],
  ['without the key', { tls: true }],
])('Redis is not reached %s, and that is told', async (_, access) => {
  const { redis, read, errors } = await open(access);
  expect(await read('k')).toEqual({ kind: 'skipped', why: 'not-ready' });
  expect(errors.length).toBeGreaterThan(0);
  await redis.close();
});

async function open(access: Parameters<typeof RedisSubject.open>[1]) {
  const subject = await RedisSubject.open([address], access);
  const { redis, errors } = subject;
  return { redis, errors, read: subject.read.bind(subject), write: subject.write.bind(subject) };
}
