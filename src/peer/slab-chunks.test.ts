import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CHUNK_BYTES, SlabChunks } from './slab-chunks.js';

/** Up to a slab and more. */
const CHAIN_MAX = 9_000;
const CHAINS = 4;

interface Chain {
  readonly id: number;
  readonly count: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

function stamped(length: number, stamp: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = i * 31 + stamp;
  return bytes;
}

function compare(chunks: SlabChunks, { id, offset, bytes }: Chain): void {
  const read = new Uint8Array(bytes.length + 4);
  chunks.read(id, offset, read, 2, bytes.length);
  expect(Buffer.compare(read.subarray(2, -2), bytes)).toBe(0);
  expect([read[0], read[1], read.at(-2), read.at(-1)]).toEqual([0, 0, 0, 0]);
  expect(chunks.equals(id, offset, bytes, bytes.length)).toBe(true);
  if (bytes.length === 0) return;
  bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
  expect(chunks.equals(id, offset, bytes, bytes.length)).toBe(false);
}

describe('chunks in slabs', () => {
  it('keep what each chain was given, in whatever order chains come, change and go', () => {
    const step = fc.record({
      which: fc.nat(CHAINS - 1),
      count: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: CHAIN_MAX })),
      isGiven: fc.boolean(),
      offset: fc.nat(300),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 30 }), (steps) => {
        const chunks = new SlabChunks(CHAINS * CHAIN_MAX);
        const chains = new Map<number, Chain>();
        for (const [stamp, { which, count, isGiven, offset: wished }] of steps.entries()) {
          const chain = chains.get(which);
          if (isGiven) {
            const id = chain?.id ?? chunks.take(count);
            if (chain !== undefined) chunks.resize(id, count);
            const offset = Math.min(wished, count * CHUNK_BYTES);
            const bytes = stamped(count * CHUNK_BYTES - offset, stamp);
            chunks.write(id, offset, bytes, bytes.length);
            chains.set(which, { id, count, offset, bytes });
          } else if (chain !== undefined) {
            chunks.release(chain.id);
            chains.delete(which);
          }
          expect(chunks.used).toBe([...chains.values()].reduce((sum, one) => sum + one.count, 0));
        }
        for (const chain of chains.values()) compare(chunks, chain);
      }),
      { numRuns: 50 },
    );
  });

  it('keep what a chain had when it gets longer', () => {
    const chunks = new SlabChunks(10);
    const id = chunks.take(2);
    const bytes = new Uint8Array(2 * CHUNK_BYTES).fill(7);
    chunks.write(id, 0, bytes, bytes.length);
    chunks.take(1);
    chunks.resize(id, 4);
    expect(chunks.equals(id, 0, bytes, bytes.length)).toBe(true);
  });

  it('are used again before new ones are asked for', () => {
    const chunks = new SlabChunks(3);
    for (let round = 0; round < 100; round++) chunks.release(chunks.take(3));
    expect(chunks.used).toBe(0);
    expect([chunks.take(1), chunks.take(1), chunks.take(1)].sort()).toEqual([1, 2, 3]);
  });
});
