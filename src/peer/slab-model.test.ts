import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../test/virtual-clock.js';
import { deadAtMs, type Entry, mergeEntries, NO_TAGS, tombstone, type WriteMode } from '../core/entry.js';
import { encodeEntry } from '../core/entry-format.js';
import { compareHlc, HLC_ZERO, laterHlc } from '../core/hlc.js';
import { bucketOf } from '../core/key.js';
import { VERSION_ZERO } from '../core/version.js';
import { costBytes } from './slab-entries.js';
import { SlabPeerStore } from './slab-store.js';

/** Each in a bucket of its own. */
const KEYS = Array.from({ length: 12 }, (_, i) => `k${i}`).concat('é'.repeat(300), 'z'.repeat(200));
const BUDGET_BYTES = 5_000;

interface Step {
  readonly key: string;
  readonly does: WriteMode | 'read' | 'wait' | 'evict' | 'forget';
  readonly isDeleted: boolean;
  readonly atMs: number;
  readonly payloadBytes: number;
  readonly livesMs: number;
}

const STEP: fc.Arbitrary<Step> = fc.record({
  key: fc.constantFrom(...KEYS),
  does: fc.constantFrom('set', 'set', 'fill', 'read', 'wait', 'evict', 'forget'),
  isDeleted: fc.boolean(),
  atMs: fc.integer({ min: 1, max: 50 }),
  payloadBytes: fc.integer({ min: 0, max: 900 }),
  livesMs: fc.integer({ min: 0, max: 4_000 }),
});

/** A map, and the store beside it. What the store has given up the map gives up too, once it has seen the marks of it. */
class Twins {
  readonly #clock = new VirtualClock();
  readonly #store = new SlabPeerStore(this.#clock, BUDGET_BYTES);
  readonly #map = new Map<string, Entry>();

  play(step: Step): void {
    const { key, does } = step;
    switch (does) {
      case 'wait':
        this.#clock.advance(step.livesMs);
        break;
      case 'read':
        expect(this.#store.read(key)).toEqual(this.#live(key) && Buffer.from(encodeEntry(this.#live(key) as Entry)));
        break;
      case 'evict':
        this.#store.evict(bucketOf(key));
        break;
      case 'forget':
        this.#store.forget(bucketOf(key));
        this.#map.delete(key);
        break;
      default:
        this.#write(key, this.#entryOf(step), does);
    }
    for (const one of KEYS) this.#compare(one);
    this.#compareSizes();
  }

  #live(key: string): Entry | undefined {
    const entry = this.#map.get(key);
    return entry !== undefined && deadAtMs(entry) > this.#clock.wallMs() ? entry : undefined;
  }

  #entryOf({ isDeleted, atMs, payloadBytes, livesMs }: Step): Entry {
    const at = { ms: atMs, counter: 0 };
    const nowMs = this.#clock.wallMs();
    if (isDeleted) return tombstone(at, VERSION_ZERO, nowMs, livesMs);
    return {
      kind: 'value',
      payload: new Uint8Array(payloadBytes).fill(atMs),
      version: { eventTimeMs: atMs, hlc: at, origin: 1 },
      fillStart: at,
      fence: HLC_ZERO,
      createdAtMs: nowMs,
      freshUntilMs: nowMs + livesMs,
      staleWhileRevalidateMs: 0,
      staleIfErrorMs: 0,
      tags: NO_TAGS,
    };
  }

  #write(key: string, entry: Entry, mode: WriteMode): void {
    const marks = this.#store.marksOf(bucketOf(key));
    const current = this.#live(key);
    // One that has died is remembered by its fence.
    const fence = laterHlc(marks.fence, this.#map.get(key)?.fence ?? HLC_ZERO);
    const mark = mode === 'fill' ? laterHlc(marks.fillStart, fence) : fence;
    const isRefused = current === undefined && entry.kind !== 'tombstone' && compareHlc(entry.fillStart, mark) <= 0;
    const merged = mergeEntries(current, entry, mode);
    const outcome = this.#store.write(key, encodeEntry(entry), mode).kind;
    expect(outcome).toBe(merged.accepted && !isRefused ? 'stored' : 'superseded');
    if (isRefused) this.#map.delete(key);
    else if (current !== undefined) this.#map.set(key, merged.entry);
    else this.#map.set(key, { ...entry, fence: laterHlc(entry.fence, fence) });
  }

  #compare(key: string): void {
    const entry = this.#map.get(key);
    const bucket = bucketOf(key);
    const keys = [...this.#store.keysOf(bucket)];
    if (keys.length > 0 || entry === undefined) {
      expect(keys).toEqual(entry === undefined ? [] : [key]);
      return;
    }
    this.#map.delete(key);
    const { fence, fillStart } = this.#store.marksOf(bucket);
    expect(compareHlc(fence, entry.fence)).toBeGreaterThanOrEqual(0);
    const isDead = deadAtMs(entry) <= this.#clock.wallMs();
    expect(isDead || compareHlc(fillStart, entry.fillStart) >= 0).toBe(true);
  }

  #compareSizes(): void {
    const sizes = [...this.#map].map(([key, entry]) => costBytes(key, encodeEntry(entry)));
    expect(this.#store.entries).toBe(sizes.length);
    expect(this.#store.sizeBytes).toBe(sizes.reduce((sum, bytes) => sum + bytes, 0));
    expect(this.#store.sizeBytes).toBeLessThanOrEqual(BUDGET_BYTES);
  }
}

describe('the store of a peer beside a map', () => {
  it('has the same, byte for byte, whatever happens, and remembers what it gave up', () => {
    fc.assert(
      fc.property(fc.array(STEP, { maxLength: 150 }), (steps) => {
        const twins = new Twins();
        for (const step of steps) twins.play(step);
      }),
      { numRuns: 200 },
    );
  });
});
