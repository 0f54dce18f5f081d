import { describe, expect, it } from 'vitest';
import { formatAddress, parseAddress } from './address.js';

describe('an address', () => {
  it.each([
    ['127.0.0.1:7001', { host: '127.0.0.1', port: 7_001 }],
    ['redis-0.redis.svc:6379', { host: 'redis-0.redis.svc', port: 6_379 }],
    ['[::1]:7001', { host: '::1', port: 7_001 }],
  ])('%j is read, and written the same', (address, parsed) => {
    expect(parseAddress(address)).toEqual(parsed);
    expect(formatAddress(parsed)).toBe(address);
  });

  it.each(['', 'localhost', ':7001', 'h:0', 'h:65536', 'h:x', '::1:7001', 'redis://h:1', 'user@h:1', 'h :1'])(
    '%j is refused by the name of the field',
    (address) => {
      expect(() => parseAddress(address)).toThrow(
        expect.objectContaining({ code: 'invalid-config', field: 'redis.nodes' }),
      );
    },
  );
});
