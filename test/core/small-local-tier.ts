import type { Clock } from '../../src/core/clock.js';
import type { Codec } from '../../src/core/codec.js';
import { type Entry, freshness, mergeEntries, NO_PAYLOAD, type WriteMode } from '../../src/core/entry.js';
import type { FeedLeases } from '../../src/core/feed-lease.js';
import type { Floors } from '../../src/core/floors.js';
import { partitionOf } from '../../src/core/key.js';
import { type LocalEntry, type LocalTier, NOT_HERE } from '../../src/core/local.js';
import { STORED, type WriteOutcome } from '../../src/core/outcome.js';
import { compareVersions } from '../../src/core/version.js';

/** The level in this process without a budget: all that the engine asks of one, in a page. */
export class SmallLocalTier implements LocalTier {
  /** Without room it declines everything, and keeps no older copy instead. */
  hasRoom = true;
  readonly #clock: Clock;
  readonly #codec: Codec;
  readonly #floors: Floors;
  readonly #leases: FeedLeases;
  readonly #held = new Map<string, LocalEntry>();

  constructor(clock: Clock, codec: Codec, floors: Floors, leases: FeedLeases) {
    this.#leases = leases;
    this.#clock = clock;
    this.#codec = codec;
    this.#floors = floors;
  }

  read(key: string): unknown {
    const held = this.find(key);
    if (held === undefined || held.entry.kind === 'tombstone') return NOT_HERE;
    const nowMs = this.#clock.wallMs();
    if (!held.trusted) return NOT_HERE;
    if (freshness(held.entry, nowMs) !== 'fresh') return NOT_HERE;
    this.#held.set(key, { ...held, lastAccessedMs: nowMs, accessCount: held.accessCount + 1 });
    return held.value;
  }

  find(key: string): LocalEntry | undefined {
    const held = this.#held.get(key);
    if (held === undefined || freshness(held.entry, this.#clock.wallMs()) === 'dead') return undefined;
    const passes = held.entry.kind === 'tombstone' || this.#floors.passes(key, held.entry);
    const untilMs = this.#leases.untilMs[partitionOf(key)] as number;
    return passes ? { ...held, trusted: held.trusted && this.#clock.monotonicMs() < untilMs } : undefined;
  }

  put(key: string, entry: Entry, mode: WriteMode, copy?: unknown): WriteOutcome {
    const held = this.find(key) === undefined ? undefined : this.#held.get(key);
    const merged = mergeEntries(held?.entry, entry, mode);
    if (!this.hasRoom) this.#held.delete(key);
    else if (merged.accepted) this.#keep(key, merged.entry, copy);
    else if (held !== undefined) {
      this.#held.set(key, { ...held, entry: { ...merged.entry, payload: NO_PAYLOAD } });
      if (mode === 'fill') this.confirm(key, entry);
    }
    return merged.accepted ? STORED : { kind: 'superseded', by: merged.entry.version };
  }

  confirm(key: string, told: Entry): void {
    const held = this.#held.get(key);
    if (held?.entry.kind !== told.kind || compareVersions(held.entry.version, told.version) !== 0) return;
    this.#held.set(key, { ...held, trusted: true, heldSinceMs: this.#clock.wallMs() });
  }

  drop(key: string): void {
    this.#held.delete(key);
  }

  dropAll(): void {
    this.#held.clear();
  }

  doubt(partition?: number): void {
    for (const [key, held] of this.#held) {
      if (partition === undefined || partitionOf(key) === partition) this.#held.set(key, { ...held, trusted: false });
    }
  }

  get sizeBytes(): number {
    return this.#held.size * 100;
  }

  get entries(): number {
    return this.#held.size;
  }

  #keep(key: string, entry: Entry, copy: unknown): void {
    const nowMs = this.#clock.wallMs();
    const value = entry.kind === 'value' ? (copy ?? this.#codec.decode(entry.payload).value) : undefined;
    this.#held.set(key, {
      entry: { ...entry, payload: NO_PAYLOAD },
      value,
      lastAccessedMs: nowMs,
      accessCount: 0,
      heldSinceMs: nowMs,
      trusted: true,
      sizeBytes: 300 + 2 * entry.payload.length,
    });
  }
}
