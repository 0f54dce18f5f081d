import { describe, expect, it } from 'vitest';
import { type KeptPayload, keepPayload, payloadOf } from './payload.js';

const everyByte = (length: number) => Uint8Array.from({ length }, (_, i) => i * 7);

function bytesHeld(kept: KeptPayload): number {
  return typeof kept === 'string' ? kept.length : kept.buffer.byteLength;
}

describe('a kept payload', () => {
  for (const length of [0, 1, 64, 65, 300, 4_096, 4_097, 100_000]) {
    it(`of ${length} bytes comes back as it was, and keeps no larger buffer alive`, () => {
      const bytes = everyByte(length);
      const socketChunk = new Uint8Array(length + 65_536);
      socketChunk.set(bytes, 1_000);
      const kept = keepPayload(socketChunk.subarray(1_000, 1_000 + length));
      socketChunk.fill(0);
      expect(Buffer.compare(payloadOf(kept), bytes)).toBe(0);
      expect(bytesHeld(kept)).toBe(length);
      expect(Buffer.compare(payloadOf(keepPayload(bytes)), bytes)).toBe(0);
    });
  }

  it('is not copied when it is long and has its buffer to itself', () => {
    const bytes = everyByte(5_000);
    expect(keepPayload(bytes)).toBe(bytes);
  });
});
