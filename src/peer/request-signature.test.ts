import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../test/virtual-clock.js';
import {
  macOf,
  parseSignature,
  SIGNED_HEADERS,
  type SignedParts,
  signingKey,
  signRequest,
} from './request-signature.js';
import { RequestSigner } from './request-signer.js';

const SECRET = 'open-sesame-for-tests';
const TIME_MS = 1_700_000_000_000;
const NONCE = '000102030405060708090a0b0c0d0e0f';
const HEADERS: Record<string, string> = { 'x-fleetflow-ttl': '30s', 'x-fleetflow-tags': 'b' };
const PUT: SignedParts = {
  method: 'PUT',
  path: '/internal/cache/set/a%2Fb',
  host: '127.0.0.1:7946',
  header: (name) => HEADERS[name],
};
/** Of the lines that docs/peers.md names, by `openssl dgst -sha256 -hmac`. */
const BY_OPENSSL =
  'FFC1 d62ecd4d 1700000000000 000102030405060708090a0b0c0d0e0f 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 9a1380f6fb928051b4393f6d30b7d7f66a16419ea8f8507208ca108bb5a6e133';

const macFor = (parts: SignedParts, change: Partial<{ time: string; nonce: string; digest: string }> = {}): string => {
  const signature = parseSignature(BY_OPENSSL);
  if (signature === undefined) throw new Error('the sample cannot be read');
  return macOf(signingKey(SECRET).key, parts, { ...signature, ...change }).toString('hex');
};

describe('the signature of a request', () => {
  it('is what openssl makes of the same lines', () => {
    expect(signRequest(signingKey(SECRET), PUT, 'hello', TIME_MS, NONCE)).toBe(BY_OPENSSL);
  });

  it('is read back as it was written', () => {
    const [, keyId, time, nonce, digest, mac] = BY_OPENSSL.split(' ');
    expect(parseSignature(BY_OPENSSL)).toEqual({ keyId, time, nonce, digest, mac });
  });

  it.each([
    ['the method', { ...PUT, method: 'GET' }, {}],
    ['the path', { ...PUT, path: '/internal/cache/set/a/b' }, {}],
    ['the host', { ...PUT, host: '127.0.0.1:7947' }, {}],
    ['the time', PUT, { time: '1700000000001' }],
    ['the nonce', PUT, { nonce: NONCE.replace('0f', '10') }],
    ['the body', PUT, { digest: '0'.repeat(64) }],
  ])('changes with %s', (_what, parts, change) => {
    expect(macFor(parts, change)).not.toBe(macFor(PUT));
  });

  it.each(SIGNED_HEADERS)('changes with %s', (name) => {
    expect(macFor({ ...PUT, header: (one) => (one === name ? 'another' : HEADERS[one]) })).not.toBe(macFor(PUT));
  });

  it.each([
    ['nothing', ''],
    ['a bearer', 'Bearer open-sesame-for-tests'],
    ['another scheme', BY_OPENSSL.replace('FFC1', 'FFC2')],
    ['capitals', BY_OPENSSL.toUpperCase()],
    ['a time of 14 digits', BY_OPENSSL.replace('1700000000000', '17000000000000')],
    ['a short mac', BY_OPENSSL.slice(0, -1)],
    ['a long mac', `${BY_OPENSSL}0`],
    ['a line feed after it', `${BY_OPENSSL}\n`],
  ])('is not read out of %s', (_what, text) => {
    expect(parseSignature(text)).toBeUndefined();
  });
});

describe('a node that signs', () => {
  it('never uses a nonce twice, nor one of another node', () => {
    const nonces = [0.1, 0.2].flatMap((first) => {
      const draws = [first, 0.7];
      const signer = new RequestSigner(SECRET, new VirtualClock(), { next: () => draws.shift() ?? 0 });
      return Array.from({ length: 50 }, () => {
        const { authorization = '' } = signer.sign('127.0.0.1:1', { method: 'GET', path: '/', headers: {} });
        return parseSignature(authorization)?.nonce;
      });
    });
    expect(new Set(nonces).size).toBe(100);
    expect(nonces).not.toContain(undefined);
  });
});
