import { describe, expect, it } from 'vitest';
import { CacheError } from '../core/errors.js';
import { parseClusterSlots, parseRedirect } from './topology.js';

const text = (value: string) => Buffer.from(value);

describe('parseClusterSlots', () => {
  it('names the primary of every range', () => {
    const reply = [
      [0, 5_460, [text('10.0.0.1'), 7_001, text('id1'), []], [text('10.0.0.4'), 7_004, text('id4'), []]],
      [5_461, 16_383, [text('redis-2.local'), 7_002, text('id2'), []]],
    ];
    expect(parseClusterSlots(reply, 'asked:1')).toEqual([
      { first: 0, last: 5_460, address: '10.0.0.1:7001' },
      { first: 5_461, last: 16_383, address: 'redis-2.local:7002' },
    ]);
  });

  it.each([null, text(''), text('?')])('takes the host that it asked for an endpoint of %j', (endpoint) => {
    const reply = [[0, 1, [endpoint, 7_001, text('id1'), []]]];
    expect(parseClusterSlots(reply, '10.0.0.9:7009')).toEqual([{ first: 0, last: 1, address: '10.0.0.9:7001' }]);
  });

  it('puts brackets around a host of IPv6', () => {
    expect(parseClusterSlots([[0, 1, [text('fe80::1'), 7_001]]], 'asked:1')[0]?.address).toBe('[fe80::1]:7001');
  });

  it('knows a cluster without slots', () => {
    expect(parseClusterSlots([], 'asked:1')).toEqual([]);
  });

  it.each([[null], ['OK'], [[1]], [[[0, 1]]], [[[0, 16_384, ['h', 1]]]], [[[0, 1, ['h', '1']]]]])(
    'refuses %j',
    (reply) => {
      expect(() => parseClusterSlots(reply, 'asked:1')).toThrow(CacheError);
    },
  );
});

describe('parseRedirect', () => {
  it.each([
    ['MOVED 3999 127.0.0.1:6381', { kind: 'moved', address: '127.0.0.1:6381' }],
    ['ASK 3999 127.0.0.1:6381', { kind: 'ask', address: '127.0.0.1:6381' }],
    ['MOVED 3999 :6381', { kind: 'moved', address: '10.0.0.9:6381' }],
    ['MOVED 3999 fe80::1:6381', { kind: 'moved', address: '[fe80::1]:6381' }],
    ['TRYAGAIN Multiple keys request during rehashing of slot', undefined],
    ['ERR MOVED 3999 127.0.0.1:6381', undefined],
  ])('reads %j', (message, redirect) => {
    expect(parseRedirect(message, '10.0.0.9:7009')).toEqual(redirect);
  });
});
