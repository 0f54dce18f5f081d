import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Reply, RespError, RespParser } from './resp-parser.js';

/** What came out, in order: replies, and what nobody asked for. */
function readAll(pieces: readonly Buffer[]): unknown[] {
  const heard: unknown[] = [];
  const parser = new RespParser({
    onReply: (reply) => heard.push(shown(reply)),
    onPush: (parts) => heard.push({ push: parts.map(shown) }),
  });
  for (const piece of pieces) {
    const memory = Buffer.from(piece);
    parser.read(memory);
    // As the next piece does, which is read into the same memory.
    memory.fill(0x58);
  }
  return heard;
}

/** In a form that tells everything apart, made when all has been read. */
function shown(reply: Reply): unknown {
  if (reply instanceof Error) return { error: reply.message };
  if (reply instanceof Buffer)
    return {
      get text() {
        return reply.toString('latin1');
      },
    };
  return Array.isArray(reply) ? reply.map(shown) : reply;
}

interface Sample {
  readonly wire: Buffer;
  readonly means: unknown;
}

const line = (mark: string, text: string | number) => Buffer.from(`${mark}${text}\r\n`);
const bulk = (mark: string, bytes: Buffer) => Buffer.concat([line(mark, bytes.length), bytes, Buffer.from('\r\n')]);
const words = fc.stringMatching(/^[A-Za-z0-9 :._-]{0,40}$/);

const scalar: fc.Arbitrary<Sample> = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => {
    const text = Buffer.from(bytes);
    return { wire: bulk('$', text), means: { text: text.toString('latin1') } };
  }),
  words.map((text) => ({ wire: line('+', text), means: text })),
  words.map((text) => ({ wire: line('-', `ERR ${text}`), means: { error: `ERR ${text}` } })),
  words.map((text) => ({ wire: bulk('!', Buffer.from(`ERR ${text}`)), means: { error: `ERR ${text}` } })),
  words.map((text) => ({ wire: bulk('=', Buffer.from(`txt:${text}`)), means: text })),
  fc.maxSafeInteger().map((number) => ({ wire: line(':', number), means: number })),
  fc.constantFrom('$-1', '*-1', '_').map((text) => ({ wire: line('', text), means: null })),
  fc.boolean().map((value) => ({ wire: line('#', value ? 't' : 'f'), means: value })),
  fc.constantFrom(0.5, -3, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY).map((number) => ({
    wire: line(',', String(number).replace('Infinity', 'inf')),
    means: number,
  })),
);

const nested: fc.Arbitrary<Sample> = fc.letrec<{ any: Sample }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    scalar,
    fc
      .tuple(fc.constantFrom('*', '~', '%'), fc.array(tie('any'), { maxLength: 6 }))
      .filter(([mark, items]) => mark !== '%' || items.length % 2 === 0)
      .map(([mark, items]) => ({
        wire: Buffer.concat([
          line(mark, mark === '%' ? items.length / 2 : items.length),
          ...items.map((one) => one.wire),
        ]),
        means: items.map(({ means }) => means),
      })),
    // What is said about a reply is not part of it.
    tie('any').map(({ wire, means }) => ({
      wire: Buffer.concat([line('|', 1), line('+', 'a'), line(':', 1), wire]),
      means,
    })),
  ),
})).any;

const message: fc.Arbitrary<Sample> = fc.array(scalar, { minLength: 1, maxLength: 3 }).map((parts) => ({
  wire: Buffer.concat([line('>', parts.length), ...parts.map(({ wire }) => wire)]),
  means: { push: parts.map(({ means }) => means) },
}));

const stream = fc.array(fc.oneof(nested, message), { minLength: 1, maxLength: 8 }).map((samples) => ({
  wire: Buffer.concat(samples.map(({ wire }) => wire)),
  means: samples.map(({ means }) => means),
}));

describe('RespParser', () => {
  it('reads the same out of any pieces, and shares no memory with them', () => {
    const cuts = fc.array(fc.nat(), { maxLength: 30 });
    fc.assert(
      fc.property(stream, cuts, ({ wire, means }, at) => {
        const places = [0, ...at.map((one) => one % (wire.length + 1)).sort((a, b) => a - b), wire.length];
        const pieces = places.slice(1).map((to, i) => wire.subarray(places[i], to));
        expect(readAll(pieces)).toEqual(means);
      }),
      { numRuns: 300 },
    );
  });

  it('reads the same wherever it is cut in two, and byte by byte', () => {
    fc.assert(
      fc.property(stream, ({ wire, means }) => {
        for (let at = 0; at <= wire.length; at++) {
          expect(readAll([wire.subarray(0, at), wire.subarray(at)])).toEqual(means);
        }
        expect(readAll([...wire].map((byte) => Buffer.of(byte)))).toEqual(means);
      }),
      { numRuns: 20 },
    );
  });

  it('reads a text of megabytes that comes in many pieces', () => {
    const text = Buffer.alloc(3_000_000, 'fleet');
    const wire = Buffer.concat([bulk('$', text), line(':', 7)]);
    const pieces: Buffer[] = [];
    for (let at = 0; at < wire.length; at += 65_536) pieces.push(wire.subarray(at, at + 65_536));
    const [first, second] = readAll(pieces) as [{ text: string }, number];
    expect(Buffer.from(first.text, 'latin1').equals(text)).toBe(true);
    expect(second).toBe(7);
  });

  it('reads no further than what came', () => {
    const heard: Reply[] = [];
    const parser = new RespParser({ onReply: (reply) => heard.push(reply), onPush: () => {} });
    parser.read(Buffer.from('+a\r\n+b\r\n+c\r\n'), 8);
    expect(heard).toEqual(['a', 'b']);
  });

  it('gives out an error as an Error that begins with its code', () => {
    const heard: Reply[] = [];
    new RespParser({ onReply: (reply) => heard.push(reply), onPush: () => {} }).read(Buffer.from('-MOVED 1 a:1\r\n'));
    expect(heard[0]).toBeInstanceOf(RespError);
    expect((heard[0] as RespError).message).toBe('MOVED 1 a:1');
  });

  it.each([
    ['a type that does not exist', 'HTTP/1.1 400\r\n'],
    ['a length that is none', '$1x\r\n'],
    ['a length below nothing', '$-2\r\n'],
    ['a text larger than Redis can hold', '$536870913\r\n'],
    ['more elements than any reply has', '*1048577\r\n'],
    ['a number without digits', ':\r\n'],
    ['a text without an end', '$1\r\nabc'],
    ['half of an end of line', '+OK\n'],
    ['a message within a reply', '*1\r\n>1\r\n+a\r\n'],
    ['arrays within arrays without an end', '*1\r\n'.repeat(100)],
    ['a line without an end', `+${'a'.repeat(70_000)}`],
  ])('refuses %s', (_, wire) => {
    expect(() => readAll([Buffer.from(wire)])).toThrow(expect.objectContaining({ code: 'level-failed' }));
    expect(() => readAll([...wire].map((one) => Buffer.from(one)))).toThrow(/no Redis, or the connection is broken/);
  });
});
