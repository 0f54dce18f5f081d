import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeEntry } from '../../src/core/entry-format.js';
import { CacheError } from '../../src/core/errors.js';
import { STORED } from '../../src/core/outcome.js';
import { formatFloorList, formatFloors, parseFloorList, parseFloors } from '../../src/peer/control-format.js';
import { parseGossipReply, parseGossipRequest } from '../../src/peer/gossip-format.js';
import { decodePage, encodePage, formatHandover, parseHandover } from '../../src/peer/handover-format.js';
import { decodeReply, decodeRequest, encodeReply, encodeRequest } from '../../src/peer/wire.js';
import { Dice } from './dice.js';
import { mutateBytes, mutateJson } from './mutations.js';

const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);
const ROUNDS = 100_000;

const golden = (name: string): Buffer => readFileSync(join(import.meta.dirname, '../golden', name));
const entry = golden('entry-1-value.bin');
const hlc = { ms: 1_700_000_000_000, counter: 7 };
const version = { eventTimeMs: hlc.ms, hlc, origin: 1 };
const floor = { scope: 'pattern', subject: 'vehicle:*', hlc } as const;

type Decoder = [name: string, sample: Uint8Array | string, decode: (message: Buffer) => unknown];
const text = (parse: (text: string) => unknown) => (message: Buffer) => parse(message.toString('utf8'));

const decoders: readonly Decoder[] = [
  ['an entry', entry, decodeEntry],
  [
    'a batch',
    encodeRequest({
      reads: ['k', 'region:\u{1f69a}'],
      writes: [{ key: 'k', mode: 'fill', bytes: entry }],
      leases: [
        { verb: 'acquire', key: 'k', token: 't', since: hlc, from: '127.0.0.1:1' },
        { verb: 'ended', key: 'k' },
      ],
    }),
    decodeRequest,
  ],
  [
    'the answer to a batch',
    encodeReply({
      reads: ['miss', entry, 'later', { doubted: entry }],
      writes: [STORED, { kind: 'superseded', by: version }],
      leases: [{ kind: 'busy', leftMs: 5 }],
    }),
    (message) => decodeReply(message, { reads: 4, writes: 2, leases: 1 }),
  ],
  [
    'a page of a handover',
    encodePage({
      buckets: [{ bucket: 7, sure: true, marks: { fence: hlc, fillStart: hlc } }],
      entries: [{ key: 'k', bytes: entry }],
    }),
    decodePage,
  ],
  ['a wish for a handover', formatHandover({ epoch: 'ab', buckets: [1, 2], after: 'k' }), text(parseHandover)],
  ['gossip', golden('gossip-1-request.json').toString('utf8'), text(parseGossipRequest)],
  ['the answer to gossip', golden('gossip-1-reply.json').toString('utf8'), text(parseGossipReply)],
  ['floors', formatFloors([floor]), text(parseFloors)],
  ['a list of floors', formatFloorList({ mark: 'ab.1', floors: [floor] }), text(parseFloorList)],
];

describe(`${ROUNDS} messages that are changed anywhere, seed ${SEED}`, () => {
  it.each(decoders)('are read as %s, or refused with a CacheError', (_name, sample, decode) => {
    const dice = new Dice(SEED);
    const bytes = Buffer.from(sample);
    const json: unknown = typeof sample === 'string' ? JSON.parse(sample) : undefined;
    decode(bytes);
    const outcomes = { read: 0, refused: 0 };
    for (let round = 0; round < ROUNDS / decoders.length; round++) {
      const message =
        json !== undefined && dice.chance(0.7) ? Buffer.from(mutateJson(dice, json)) : mutateBytes(dice, bytes);
      try {
        decode(message);
        outcomes.read += 1;
      } catch (thrown) {
        if (!(thrown instanceof CacheError)) {
          throw new Error(`round ${round}, ${message.toString('hex').slice(0, 400)}`, { cause: thrown });
        }
        outcomes.refused += 1;
      }
    }
    expect(outcomes.read).toBeGreaterThan(0);
    expect(outcomes.refused).toBeGreaterThan(0);
  });
});
