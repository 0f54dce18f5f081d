import type { Clock } from '../core/clock.js';
import type { Codec, Decoded, Readers } from '../core/codec.js';
import { type Entry, isSameData, mergeEntries, NO_PAYLOAD, type WriteMode } from '../core/entry.js';
import type { Floors } from '../core/floors.js';
import { hashKey, PARTITIONS } from '../core/key.js';
import { type LocalEntry, type LocalTier, NOT_HERE } from '../core/local.js';
import { STORED, type WriteOutcome } from '../core/outcome.js';
import { decodedBytes } from './decoded-size.js';
import { filledOf } from './entry-columns.js';
import { ENTRY_OVERHEAD_BYTES, sizeOf } from './entry-size.js';
import type { EvictionPolicy } from './eviction.js';
import { KeyIndex } from './key-index.js';
import { positiveLimit } from './limit.js';
import type { Arrival, MemoryTierParts } from './memory-tier-parts.js';
import { type KeptPayload, keepPayload, payloadOf } from './payload.js';
import type { SlotRows } from './slot-rows.js';
import { COPIED, FREE, isDecoded, NO_STAMP, NOTHING, type Page, READ_ONCE, SHARED, Slots, UNREAD } from './slots.js';

/** Up to this share of the budget every value that comes as an object stays one. */
const PLENTY_SHARE = 0.25;

/** How many slots each put looks at for entries that nobody asks for any more. */
const SWEEP_SLOTS = 4;

/** Stands for the payload of the entry that is here, which is decoded already or stays where it is. */
const HELD: Uint8Array = new Uint8Array(0);

/**
 * The level in this process's memory. An index finds the slot of a key; what is known of it lies in arrays at the slot's
 * number. A hit compares a few numbers there: until when the copy is trusted and fresh, and under which state of the
 * world (floors, doubts) it was last checked; then it hands out the value.
 *
 * Entries date themselves by wall time. What remains of their lifetimes is counted on the monotonic clock from the
 * moment they come, so a wall clock that is set does not revive or end anything.
 *
 * What is dead goes when it is asked for, when a put comes by it, or when it is evicted; until then it counts in
 * `entries` and `sizeBytes`. What is doubted stays: it may be confirmed, or have to stand in.
 */
export class MemoryTier implements LocalTier {
  readonly #clock: Clock;
  readonly #hitMs: () => number;
  readonly #codec: Codec;
  readonly #floors: Floors;
  readonly #eviction: EvictionPolicy;
  readonly #maxBytes: number;
  readonly #maxEntries: number;
  readonly #entryWeight: number;
  readonly #trustedUntilMs: Float64Array;
  readonly #holdMaxMs: number;
  /** Whether what is here is trusted for as long as it lives: nobody else writes. */
  readonly #trustsAll: boolean;
  readonly #slots: Slots;
  readonly #index: KeyIndex;
  #bytes = 0;
  #doubts = 0;
  /** How many doubts had been raised, itself included, when a partition was doubted last. */
  readonly #doubtedAt = new Uint32Array(PARTITIONS);
  #sweptTo = 0;

  /** @throws CacheError `invalid-options` for a limit that is not a positive whole number */
  constructor(parts: MemoryTierParts) {
    this.#clock = parts.clock;
    // A lease is what others were promised: a stalled process must see that it is over.
    const exactMs = (): number => parts.clock.monotonicMs();
    this.#hitMs = parts.leases.end ? exactMs : (parts.recentMs ?? exactMs);
    this.#codec = parts.codec;
    this.#floors = parts.floors;
    this.#eviction = parts.eviction;
    this.#maxBytes = positiveLimit(parts.maxBytes, 'maxBytes');
    this.#maxEntries = positiveLimit(parts.maxEntries, 'maxEntries');
    this.#entryWeight = Math.ceil(this.#maxBytes / this.#maxEntries);
    this.#trustedUntilMs = parts.leases.untilMs;
    this.#holdMaxMs = parts.holdMaxMs ?? Number.POSITIVE_INFINITY;
    this.#trustsAll = !parts.leases.end && this.#holdMaxMs === Number.POSITIVE_INFINITY;
    this.#slots = new Slots(this.#maxEntries);
    this.#index = new KeyIndex(Math.min(this.#maxEntries, this.#maxBytes / ENTRY_OVERHEAD_BYTES));
  }

  get sizeBytes(): number {
    return this.#bytes;
  }

  get entries(): number {
    return this.#slots.used;
  }

  read(key: string): unknown {
    const slot = this.#index.get(key);
    if (slot === undefined) return NOT_HERE;
    const page = this.#slots.pageOf(slot);
    const at = Slots.placeOf(slot);
    const nowMs = this.#hitMs();
    const { rows } = page;
    let value = page.values[at];
    if (!this.#trustsAll && !this.#isTrusted(rows, at, nowMs)) return NOT_HERE;
    if (nowMs >= rows.freshUntilMs(at) || rows.stamp(at) !== this.#stamp()) {
      value = this.#readChecked(slot, page, at, nowMs);
      if (value === NOT_HERE) return NOT_HERE;
    }
    rows.use(at, nowMs);
    this.#eviction.onHit(slot);
    return value;
  }

  find(key: string): LocalEntry | undefined {
    const slot = this.#index.get(key);
    if (slot === undefined) return undefined;
    const page = this.#slots.pageOf(slot);
    const at = Slots.placeOf(slot);
    const nowMs = this.#clock.monotonicMs();
    if (!this.#isAlive(page, at, nowMs)) {
      this.#remove(slot);
      return undefined;
    }
    const aheadMs = this.#wallAheadMs(nowMs);
    const known = {
      entry: page.entries.read(at, NO_PAYLOAD, Math.round(page.rows.freshUntilMs(at) + aheadMs)),
      lastAccessedMs: Math.round(nowMs - page.rows.unusedForMs(at, nowMs) + aheadMs),
      accessCount: page.rows.uses(at),
      heldSinceMs: Math.round(nowMs - page.rows.heldForMs(at, nowMs) + aheadMs),
      trusted: this.#isTrusted(page.rows, at, nowMs) && !this.#isDoubted(page, at),
      sizeBytes: page.sizesBytes[at] as number,
    };
    const held = page.values[at];
    if (isDecoded(page.rows.content(at))) return { ...known, value: held };
    // Whoever wants to know of an entry seldom wants its value, and decoding costs more than all the rest.
    const open = () => this.#decode(held as KeptPayload, 'one')?.value;
    return {
      ...known,
      get value() {
        return open();
      },
    };
  }

  put(key: string, entry: Entry, mode: WriteMode, copy?: unknown, hot = false): WriteOutcome {
    const nowMs = this.#clock.monotonicMs();
    this.#sweep(nowMs);
    if (!this.#floors.passes(key, filledOf(entry))) return { kind: 'superseded' };
    const slot = this.#liveSlot(key, nowMs);
    const copyBytes = copy === undefined ? 0 : decodedBytes(copy);
    if (copy !== undefined && !this.#keepsObject(slot, copyBytes)) {
      return this.put(key, { ...entry, payload: this.#codec.encode(copy) }, mode, undefined, hot);
    }
    const arrival: Arrival = { nowMs, aheadMs: this.#wallAheadMs(nowMs), copy, copyBytes, hot };
    if (slot === undefined || (mode === 'set' && !hot && this.#isReplacedBy(slot, entry))) {
      this.#keep(key, slot, entry, true, arrival);
      return STORED;
    }
    const current = this.#entryAt(slot, arrival.aheadMs);
    const merged = mergeEntries(current, entry, mode);
    const isConfirmed = merged.accepted || (mode === 'fill' && isSameData(merged.entry, entry));
    if (merged.entry !== current) this.#keep(key, slot, merged.entry, isConfirmed, arrival);
    else if (isConfirmed) this.#trust(this.#slots.pageOf(slot), Slots.placeOf(slot), nowMs);
    if (hot && this.#index.get(key) === slot) this.#eviction.favor(slot);
    return merged.accepted ? STORED : { kind: 'superseded', by: merged.entry.version };
  }

  confirm(key: string, told: Entry): void {
    const nowMs = this.#clock.monotonicMs();
    const slot = this.#liveSlot(key, nowMs);
    if (slot === undefined || !isSameData(this.#entryAt(slot, this.#wallAheadMs(nowMs)), told)) return;
    this.#trust(this.#slots.pageOf(slot), Slots.placeOf(slot), nowMs);
  }

  drop(key: string): void {
    const slot = this.#index.get(key);
    if (slot !== undefined) this.#remove(slot);
  }

  doubt(partition?: number): void {
    this.#doubts += 1;
    if (partition === undefined) this.#doubtedAt.fill(this.#doubts);
    else this.#doubtedAt[partition] = this.#doubts;
  }

  dropAll(): void {
    this.#index.clear();
    this.#slots.clear();
    this.#eviction.clear();
    this.#bytes = 0;
  }

  /** The state of the world that decides what may be handed out: a number that grows whenever it changes. */
  #stamp(): number {
    return this.#floors.epoch + this.#doubts + 1;
  }

  /** For a slot that is past its TTL, or was not checked under the present state of the world. */
  #readChecked(slot: number, page: Page, at: number, nowMs: number): unknown {
    if (!this.#isAlive(page, at, nowMs)) {
      this.#remove(slot);
      return NOT_HERE;
    }
    if (nowMs >= page.rows.freshUntilMs(at) || page.entries.kind(at) === 'tombstone') return NOT_HERE;
    if (this.#isDoubted(page, at)) return NOT_HERE;
    const value = this.#open(slot, page, at);
    if (value !== NOT_HERE && isDecoded(page.rows.content(at))) page.rows.setStamp(at, this.#stamp());
    return value;
  }

  /** Whether the feed vouches for what is held, and it has not been held for longer than it may. */
  #isTrusted(rows: SlotRows, at: number, nowMs: number): boolean {
    return nowMs < (this.#trustedUntilMs[rows.partition(at)] as number) && rows.heldForMs(at, nowMs) < this.#holdMaxMs;
  }

  /** Whether its partition was doubted since it came or was confirmed. */
  #isDoubted(page: Page, at: number): boolean {
    return (this.#doubtedAt[page.rows.partition(at)] as number) > page.rows.doubtsBefore(at);
  }

  #trust(page: Page, at: number, nowMs: number): void {
    page.rows.setHeld(at, nowMs, this.#doubts);
  }

  /** Not dead, not below a floor. */
  #isAlive(page: Page, at: number, nowMs: number): boolean {
    if (this.#isDead(page, at, nowMs)) return false;
    return (
      page.rows.stamp(at) === this.#stamp() || this.#floors.passes(page.keys[at] as string, page.entries.filled(at))
    );
  }

  #isDead(page: Page, at: number, nowMs: number): boolean {
    return nowMs >= page.rows.freshUntilMs(at) + page.entries.staleMs(at);
  }

  /** The value of an entry that is alive; `NOT_HERE` when its bytes cannot be read, and then it is forgotten. */
  #open(slot: number, page: Page, at: number): unknown {
    const content = page.rows.content(at);
    if (isDecoded(content)) return page.values[at];
    // The first reader may be the only one: protecting the value can wait for the second.
    const decoded = this.#decode(page.values[at] as KeptPayload, content === READ_ONCE ? 'many' : 'one');
    if (decoded === undefined) {
      this.#remove(slot);
      return NOT_HERE;
    }
    if (!decoded.frozen) page.rows.setContent(at, content === UNREAD ? READ_ONCE : COPIED);
    else if (this.#canGrow(slot, decodedBytes(decoded.value) - (page.values[at] as KeptPayload).length)) {
      page.values[at] = decoded.value;
      page.rows.setContent(at, SHARED);
    }
    return decoded.value;
  }

  /** Makes room for an entry to take more, without which it stays as it is. */
  #canGrow(slot: number, moreBytes: number): boolean {
    // It is being read, which the policy is not told before it has been.
    if (this.#bytes + moreBytes > this.#maxBytes) this.#eviction.onHit(slot);
    while (this.#bytes + moreBytes > this.#maxBytes) {
      const victim = this.#eviction.victim();
      if (victim < 0 || victim === slot) return false;
      this.#remove(victim);
    }
    this.#resize(slot, this.#sizeOf(slot) + moreBytes);
    return true;
  }

  #resize(slot: number, sizeBytes: number): void {
    const page = this.#slots.pageOf(slot);
    const at = Slots.placeOf(slot);
    this.#bytes += sizeBytes - (page.sizesBytes[at] as number);
    page.sizesBytes[at] = sizeBytes;
    this.#eviction.onResize(slot, this.#weightOf(sizeBytes));
  }

  #decode(kept: KeptPayload, readers: Readers): Decoded | undefined {
    try {
      return this.#codec.decode(payloadOf(kept), readers);
    } catch {
      // Bytes of a newer node, perhaps. A cache that cannot read its copy has none.
      return undefined;
    }
  }

  /** Objects take three times what their bytes do: where room is short, only what was read as one stays one. */
  #keepsObject(slot: number | undefined, copyBytes: number): boolean {
    if (this.#bytes + copyBytes < this.#maxBytes * PLENTY_SHARE) return true;
    return slot !== undefined && this.#slots.pageOf(slot).rows.content(Slots.placeOf(slot)) === SHARED;
  }

  #liveSlot(key: string, nowMs: number): number | undefined {
    const slot = this.#index.get(key);
    if (slot === undefined || this.#isAlive(this.#slots.pageOf(slot), Slots.placeOf(slot), nowMs)) return slot;
    this.#remove(slot);
    return undefined;
  }

  #entryAt(slot: number, aheadMs: number): Entry {
    const page = this.#slots.pageOf(slot);
    const at = Slots.placeOf(slot);
    return page.entries.read(at, HELD, page.rows.freshUntilMs(at) + aheadMs);
  }

  #isReplacedBy(slot: number, entry: Entry): boolean {
    return this.#slots.pageOf(slot).entries.isReplacedBy(Slots.placeOf(slot), entry);
  }

  /** Makes `entry` what is kept of `key`, if there is room and use for it. */
  #keep(key: string, held: number | undefined, entry: Entry, isConfirmed: boolean, arrival: Arrival): void {
    const { nowMs, aheadMs } = arrival;
    const freshUntilMs = entry.freshUntilMs - aheadMs;
    const isDead = nowMs >= freshUntilMs + Math.max(entry.staleWhileRevalidateMs, entry.staleIfErrorMs);
    const isHeld = held !== undefined && entry.payload === HELD;
    const value = isHeld || entry.kind !== 'value' ? undefined : arrival.copy;
    const objectBytes = value === undefined ? 0 : arrival.copyBytes;
    const sizeBytes = isHeld ? this.#sizeOf(held) : sizeOf(key, entry) + objectBytes;
    if (isDead || sizeBytes > this.#maxBytes) {
      if (held !== undefined) this.#remove(held);
      return;
    }
    const slot = held ?? this.#insert(key, sizeBytes, nowMs, arrival.hot);
    if (slot === undefined) return;
    const page = this.#slots.pageOf(slot);
    const at = Slots.placeOf(slot);
    if (held !== undefined && sizeBytes !== page.sizesBytes[at]) this.#resize(slot, sizeBytes);
    page.rows.setFreshUntilMs(at, freshUntilMs);
    page.rows.setStamp(at, value === undefined ? NO_STAMP : this.#stamp());
    page.entries.write(at, entry);
    if (isConfirmed) this.#trust(page, at, nowMs);
    if (value !== undefined) {
      page.values[at] = value;
      page.rows.setContent(at, SHARED);
    } else if (entry.payload !== HELD) {
      page.values[at] = entry.kind === 'value' ? keepPayload(entry.payload) : undefined;
      page.rows.setContent(at, entry.kind === 'value' ? UNREAD : NOTHING);
    }
    if (!this.#makeRoom(0)) this.#remove(slot);
  }

  /** Evicts until there is room for `moreBytes`. @returns false when nothing may be evicted any more */
  #makeRoom(moreBytes: number): boolean {
    while (!this.#hasRoom(moreBytes)) {
      const victim = this.#eviction.victim();
      if (victim < 0) return false;
      this.#remove(victim);
    }
    return true;
  }

  /** For so many bytes more of a new entry, or of those that are here when there are none. */
  #hasRoom(moreBytes: number): boolean {
    return this.#bytes + moreBytes <= this.#maxBytes && (moreBytes === 0 || this.#slots.used < this.#maxEntries);
  }

  /** A slot for a new key, if there is room for it. */
  #insert(key: string, sizeBytes: number, nowMs: number, hot: boolean): number | undefined {
    const hash = hashKey(key);
    if (!this.#hasRoom(sizeBytes) && !this.#eviction.admits(hash, this.#weightOf(sizeBytes), hot)) return undefined;
    if (!this.#makeRoom(sizeBytes)) return undefined;
    const slot = this.#slots.take();
    const page = this.#slots.pageOf(slot);
    const at = Slots.placeOf(slot);
    page.keys[at] = key;
    this.#bytes += sizeBytes;
    page.sizesBytes[at] = sizeBytes;
    page.rows.begin(at, hash & (PARTITIONS - 1), nowMs);
    this.#index.set(key, slot);
    this.#eviction.onInsert(slot, hash, this.#weightOf(sizeBytes));
    if (hot) this.#eviction.favor(slot);
    return slot;
  }

  /** What an entry takes of both limits, in 32 bits: its bytes, and its share of the budget as one of so many. */
  #weightOf(sizeBytes: number): number {
    return Math.min(sizeBytes + this.#entryWeight, 2 ** 32 - 1);
  }

  #remove(slot: number): void {
    const page = this.#slots.pageOf(slot);
    this.#index.delete(page.keys[Slots.placeOf(slot)] as string);
    this.#bytes -= this.#sizeOf(slot);
    this.#eviction.onRemove(slot);
    this.#slots.giveBack(slot);
  }

  #sizeOf(slot: number): number {
    return this.#slots.pageOf(slot).sizesBytes[Slots.placeOf(slot)] as number;
  }

  #sweep(nowMs: number): void {
    const slots = Math.min(SWEEP_SLOTS, this.#slots.end);
    for (let i = 0; i < slots; i++) {
      if (this.#sweptTo >= this.#slots.end) this.#sweptTo = 0;
      const slot = this.#sweptTo++;
      const page = this.#slots.pageOf(slot);
      const at = Slots.placeOf(slot);
      if (page.rows.content(at) !== FREE && this.#isDead(page, at, nowMs)) this.#remove(slot);
    }
  }

  #wallAheadMs(nowMs: number): number {
    return this.#clock.wallMs() - nowMs;
  }
}
