import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CacheError } from '../core/errors.js';
import type { GossipReply, GossipRequest } from './gossip.js';
import { formatGossip, parseGossipReply, parseGossipRequest } from './gossip-format.js';
import type { MemberRecord } from './member.js';
import type { Gossiped } from './transport.js';

const one: MemberRecord = {
  id: '0123456789ab',
  address: '127.0.0.1:7946',
  weight: 1,
  host: 'node-1',
  rack: 'ap-south-1a',
  status: 'up',
  incarnation: 1_700_000_000_000,
  buried: 0,
  leaving: false,
  degraded: false,
  settled: '0011223344556677',
};
const two: MemberRecord = {
  id: 'ba9876543210',
  address: '[::1]:7947',
  weight: 2.5,
  status: 'suspect',
  incarnation: 1_700_000_000_007,
  buried: 1_700_000_000_005,
  leaving: true,
  degraded: true,
  settled: '',
  accuser: '0123456789ab',
};
const request: Gossiped<GossipRequest> = {
  floors: '0193aabbccdd0001.42',
  message: { kind: 'relay', from: one, digest: '00ff00ff00ff0', records: [two], target: '[::1]:7947' },
};
const reply: Gossiped<GossipReply> = {
  floors: '0193aabbccdd0001.43',
  message: { kind: 'ack', from: two, digest: '00ff00ff00ff1', records: [one, { ...two, status: 'down' }] },
};

function golden(name: string): string {
  return readFileSync(new URL(`../../test/golden/${name}`, import.meta.url), 'utf8').trim();
}

/** The request with something changed in it. */
function changed(change: object, ofRecord: object = {}): string {
  return JSON.stringify({
    v: 1,
    ...request.message,
    floors: request.floors,
    records: [{ ...two, ...ofRecord }],
    ...change,
  });
}

describe('gossip as JSON', () => {
  it('is this text, in this version and every later one', () => {
    expect(formatGossip(request)).toBe(golden('gossip-1-request.json'));
    expect(formatGossip(reply)).toBe(golden('gossip-1-reply.json'));
    expect(parseGossipRequest(golden('gossip-1-request.json'))).toEqual(request);
    expect(parseGossipReply(golden('gossip-1-reply.json'))).toEqual(reply);
  });

  it('leaves alone what a later release adds', () => {
    expect(parseGossipRequest(changed({ more: 1 }, { more: 2 }))).toEqual(request);
  });

  it.each([
    ['no JSON', '{'],
    ['no object', '7'],
    ['null', 'null'],
    ['another version', changed({ v: 2 })],
    ['an unknown kind', changed({ kind: 'ack' })],
    ['a relay to nobody', changed({ target: undefined })],
    ['a relay to a path', changed({ target: 'host:1/x' })],
    ['no sender', changed({ from: undefined })],
    ['no digest', changed({ digest: 'x y' })],
    ['a mark that is none', changed({ floors: 'x' })],
    ['records that are no array', changed({ records: {} })],
    ['more members than there may be', changed({ records: new Array(257).fill(two) })],
    ['an id that is none', changed({}, { id: 'x' })],
    ['an address without port', changed({}, { address: '127.0.0.1' })],
    ['a weight of 0', changed({}, { weight: 0 })],
    ['a weight of null', changed({}, { weight: null })],
    ['an unknown status', changed({}, { status: 'odd' })],
    ['an incarnation of -1', changed({}, { incarnation: -1 })],
    ['a flag that is none', changed({}, { leaving: 1 })],
    ['an epoch that is none', changed({}, { settled: 'x' })],
    ['a rack with a space', changed({}, { rack: 'a b' })],
  ])('refuses a request with %s', (_what, text) => {
    expect(() => parseGossipRequest(text)).toThrow(CacheError);
  });

  it('throws nothing but a CacheError, whatever it is given', () => {
    const text = fc.oneof(
      fc.json(),
      fc.string(),
      fc.jsonValue().map((value) => changed({ from: value })),
      fc.jsonValue().map((value) => changed({ records: [value] })),
      fc.dictionary(fc.constantFrom(...Object.keys(two)), fc.jsonValue()).map((fields) => changed({}, fields)),
    );
    fc.assert(
      fc.property(text, (said) => {
        for (const parse of [parseGossipRequest, parseGossipReply]) {
          try {
            parse(said);
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(CacheError);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
