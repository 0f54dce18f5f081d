import type { Codec, Readers } from '../../src/core/codec.js';
import { type Entry, NO_PAYLOAD, NO_TAGS, tombstone } from '../../src/core/entry.js';
import { CacheError } from '../../src/core/errors.js';
import { FeedLeases } from '../../src/core/feed-lease.js';
import { Floors } from '../../src/core/floors.js';
import { HLC_ZERO, type Hlc } from '../../src/core/hlc.js';
import { AdaptiveEviction } from '../../src/memory/adaptive-eviction.js';
import { MemoryTier } from '../../src/memory/memory-tier.js';
import type { MemoryTierParts } from '../../src/memory/memory-tier-parts.js';
import { VirtualClock } from '../virtual-clock.js';

/** JSON, and a count of decodings. Text that starts with `dear ` is frozen for many readers only, `bytes ` never. */
class TextCodec implements Codec {
  decodings = 0;

  encode(value: unknown): Uint8Array {
    return new TextEncoder().encode(JSON.stringify(value));
  }

  /** Of objects. */
  copy(value: unknown): unknown {
    return typeof value === 'object' ? Object.freeze(structuredClone(value)) : undefined;
  }

  decode(bytes: Uint8Array, readers: Readers = 'many') {
    this.decodings += 1;
    const text = new TextDecoder().decode(bytes);
    if (text === 'broken') throw new CacheError('corrupt-entry', 'broken');
    const frozen = !text.startsWith('"bytes ') && !(text.startsWith('"dear ') && readers === 'one');
    return { value: { text: JSON.parse(text) as unknown }, frozen };
  }
}

/** A tier with a clock of its own and short ways to write entries. */
export function memoryTier(parts: Partial<MemoryTierParts> = {}) {
  const clock = new VirtualClock();
  const codec = new TextCodec();
  const floors = new Floors();
  const tier = new MemoryTier({
    clock,
    codec,
    floors,
    eviction: new AdaptiveEviction(1, 1_000),
    maxBytes: 1_000_000,
    maxEntries: 1_000,
    leases: new FeedLeases(false),
    ...parts,
  });
  const at = (ms: number): Hlc => ({ ms, counter: 0 });
  const entry = (text: string, ms = 1_000, more: Partial<Entry> = {}): Entry => ({
    kind: 'value',
    payload: codec.encode(text),
    version: { eventTimeMs: ms, hlc: at(ms), origin: 7 },
    fillStart: at(ms),
    fence: HLC_ZERO,
    createdAtMs: clock.wallMs(),
    freshUntilMs: clock.wallMs() + 60_000,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    tags: NO_TAGS,
    ...more,
  });
  const absent = (ms = 1_000): Entry => entry('', ms, { kind: 'absent', payload: NO_PAYLOAD });
  const deleted = (ms: number): Entry =>
    tombstone(at(ms), { eventTimeMs: 1, hlc: at(1), origin: 1 }, clock.wallMs(), 60_000);
  return { clock, codec, floors, tier, at, entry, absent, deleted };
}
