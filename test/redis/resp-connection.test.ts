import { type AddressInfo, createServer } from 'node:net';
import { expect, inject, it } from 'vitest';
import { CacheError } from '../../src/core/errors.js';
import { type RedisAccess, RespConnection } from '../../src/redis/resp-connection.js';
import type { RedisArgument } from '../../src/redis/resp-encoder.js';
import { type Reply, RespError } from '../../src/redis/resp-parser.js';
import { makeOwnPrefix, useOwnRedis } from '../servers.js';

/** A connection, and what became of it. */
class Subject {
  readonly connection: RespConnection;
  readonly ready: Promise<void>;
  readonly lost: Promise<Error>;

  constructor(address: string, access: RedisAccess = {}) {
    let onReady = (): void => {};
    let onLost = (_error: Error): void => {};
    this.ready = new Promise((resolve) => {
      onReady = resolve;
    });
    this.lost = new Promise((resolve) => {
      onLost = resolve;
    });
    this.connection = new RespConnection({ address, access, onReady, onLost });
  }

  ask(...args: RedisArgument[]): Promise<Reply> {
    return new Promise((resolve, reject) => this.connection.ask(args, { take: resolve, fail: reject }));
  }

  close(): void {
    this.connection.destroy(new Error('the test is over'));
  }
}

it('every command gets its own answer, were it an error or of another type, though many are asked at once', async () => {
  const subject = new Subject(inject('redisSingle'));
  const key = `${makeOwnPrefix()}k`;
  await subject.ready;
  const large = Buffer.alloc(100_000, 'ü');
  const answers = await Promise.allSettled([
    subject.ask('SET', key, large),
    subject.ask('GET', key),
    subject.ask('INCR', key),
    subject.ask('MGET', key, `${key}?`),
    ...Array.from({ length: 5_000 }, (_, i) => subject.ask('ECHO', `ä ${i}`)),
    subject.ask('STRLEN', key),
  ]);
  const [set, get, error, many] = answers;
  expect(set).toEqual({ status: 'fulfilled', value: 'OK' });
  expect(get?.status === 'fulfilled' && large.equals(get.value as Buffer)).toBe(true);
  expect(error).toMatchObject({ status: 'rejected', reason: expect.any(RespError) });
  expect(many).toMatchObject({ status: 'fulfilled', value: [expect.any(Buffer), null] });
  const echoed = answers.slice(4, -1).map((one) => (one.status === 'fulfilled' ? String(one.value) : one.status));
  expect(echoed).toEqual(Array.from({ length: 5_000 }, (_, i) => `ä ${i}`));
  expect(answers.at(-1)).toEqual({ status: 'fulfilled', value: 100_000 });
  subject.close();
});

it('messages of a channel come between answers, and are no answers', async () => {
  const [listener, speaker] = [new Subject(inject('redisSingle')), new Subject(inject('redisSingle'))];
  const channel = `${makeOwnPrefix()}news`;
  await Promise.all([listener.ready, speaker.ready]);
  const heard: string[] = [];
  const subscribed = new Promise<Reply>((take, fail) => {
    listener.connection.subscribe(channel, (message) => heard.push(message.toString()), { take, fail });
  });
  const before = listener.ask('ECHO', 'behind the subscription');
  await subscribed;
  expect(String(await before)).toBe('behind the subscription');
  for (let i = 0; i < 100; i++) {
    await speaker.ask('SPUBLISH', channel, `news ${i}`);
    expect(String(await listener.ask('ECHO', `echo ${i}`))).toBe(`echo ${i}`);
  }
  expect(heard).toEqual(Array.from({ length: 100 }, (_, i) => `news ${i}`));
  listener.close();
  speaker.close();
});

it('what is more than may wait is refused at once, and everybody else is answered', async () => {
  const subject = new Subject(inject('redisSingle'));
  await subject.ready;
  const asked = Array.from({ length: 17_000 }, (_, i) => subject.ask('ECHO', String(i)));
  const answers = await Promise.allSettled(asked);
  const refused = answers.filter(({ status }) => status === 'rejected');
  expect(refused).toHaveLength(17_000 - 16_384);
  for (const one of refused) expect(one).toMatchObject({ reason: { code: 'overloaded' } });
  answers.forEach((one, i) => {
    if (one.status === 'fulfilled') expect(String(one.value)).toBe(String(i));
  });
  expect(String(await subject.ask('ECHO', 'again'))).toBe('again');
  subject.close();
});

it('whoever waits when the connection is given up is told, once, and so is whoever asks after that', async () => {
  const subject = new Subject(inject('redisSingle'));
  await subject.ready;
  const told: unknown[] = [];
  for (let i = 0; i < 100; i++) {
    subject.connection.ask(['ECHO', String(i)], {
      take: (reply) => told.push(reply),
      fail: (error) => told.push(error),
    });
  }
  subject.close();
  expect(told).toHaveLength(100);
  for (const error of told) expect(error).toMatchObject({ name: 'CacheError', code: 'level-failed' });
  await expect(subject.ask('PING')).rejects.toThrow('the test is over');
  expect((await subject.lost).message).toBe('the test is over');
  expect(told).toHaveLength(100);
});

it('a server that is no Redis, or does not let us in, is told by its name, or by what it said', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  expect(await new Subject(address).lost).toBeInstanceOf(CacheError);
  await new Promise((resolve) => server.close(resolve));
  expect((await new Subject(address).lost).message).toMatch(/ECONNREFUSED/);
  const stranger = new Subject(inject('redisSingle'), { username: 'nobody', password: 'wrong' });
  expect((await stranger.lost).message).toMatch(/^WRONGPASS /);
});

const own = useOwnRedis();

it('an answer that comes late goes to whoever asked for it, and to nobody else', async () => {
  const subject = new Subject(own.node.address);
  await subject.ready;
  await Promise.all(Array.from({ length: 200 }, (_, i) => subject.ask('SET', `k${i}`, `value ${i}`)));
  await own.node.kill('SIGSTOP');
  // Who gave up waiting, as a deadline does, is still in the row.
  const late: string[] = [];
  for (let i = 0; i < 100; i++) {
    const taker = { take: (reply: Reply) => void late.push(String(reply)), fail: () => void late.push('failed') };
    subject.connection.ask(['GET', `k${i}`], taker);
  }
  const later = Array.from({ length: 100 }, (_, i) => subject.ask('GET', `k${100 + i}`));
  await own.node.kill('SIGCONT');
  expect((await Promise.all(later)).map(String)).toEqual(Array.from({ length: 100 }, (_, i) => `value ${100 + i}`));
  expect(late).toEqual(Array.from({ length: 100 }, (_, i) => `value ${i}`));
  subject.close();
});
