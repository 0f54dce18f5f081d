import type { Call } from './call.js';
import type { Cancel, Clock } from './clock.js';
import { type Entry, freshness, mergeEntries } from './entry.js';
import type { Feed } from './feed.js';
import type { Floor, Floors } from './floors.js';
import type { Hlc, HybridClock } from './hlc.js';
import { PARTITIONS, partitionOf } from './key.js';
import type { RecentWrites } from './recent-writes.js';
import type { Tier, Write } from './tier.js';

/** Keys that wait at most. A tombstone or a position is some hundred bytes: a few MiB. */
const WAITING_MAX = 10_000;
/** Bytes of payload that wait at most. */
const WAITING_BYTES_MAX = 32 * 1_048_576;
/** Writes per round and pause between rounds: the whole queue in half a second, a quarter of what a shard can do. */
const BATCH = 500;
const PAUSE_MS = 25;
/** How often a level that still fails is tried, unless it is known to be back. */
const RETRY_MS = 250;
const ROUND_MS = 1_000;

export interface RecoveryParts {
  readonly clock: Clock;
  readonly hlc: HybridClock;
  readonly floors: Floors;
  readonly tier: Tier;
  readonly feed: Feed;
  /** For a level that may lose what it had acknowledged. */
  readonly recent?: RecentWrites | undefined;
}

/**
 * What a level missed while it did not answer: per key the newest write, sent again until the level has it. The level's
 * own rule decides what is still news, so sending late or twice does no harm.
 *
 * When it is full, the writes of the fullest partition are given up and a floor over that partition takes their place:
 * whatever the level kept of it is not served any more, and what the writes said is asked from the source.
 *
 * It also says again what the level had acknowledged and then lost.
 */
export class RecoveryQueue {
  readonly #parts: RecoveryParts;
  /** What was lost comes first: readers find what it had replaced. Bounded by how much is remembered. */
  readonly #lost = new Map<string, Entry>();
  readonly #waiting = new Map<string, Entry>();
  /** The keys of what waits, by partition. */
  readonly #shares = new Map<number, Set<string>>();
  #bytes = 0;
  #cancel: Cancel | undefined;
  #sending = false;
  #closed = false;
  /** Writes given up for a floor, since the start. */
  overflowed = 0;

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#lost.size + this.#waiting.size;
  }

  /** The level did not take this write; it is to have it later. */
  add({ key, entry }: Write): void {
    if (this.#closed) return;
    const known = this.#waiting.get(key);
    const kept = joined(known, entry);
    this.#bytes += kept.payload.length - (known?.payload.length ?? 0);
    this.#waiting.set(key, kept);
    this.#shareOf(partitionOf(key)).add(key);
    if (this.#waiting.size > WAITING_MAX || this.#bytes > WAITING_BYTES_MAX) this.#giveUpFullest();
    if (this.#cancel === undefined) this.#later(RETRY_MS);
  }

  /** The level has taken this write. */
  taken(write: Write): void {
    this.#parts.recent?.note(write);
  }

  /**
   * The level may have lost what it had acknowledged of a partition (of all, when left out): it is told again what is
   * remembered, deletes first, and a floor stands for what is not.
   * @param others that it may have had too, because another level was still to be told of them
   */
  relapse(partition: number | undefined, others: readonly Write[]): void {
    if (this.#closed) return;
    const concerned = partition === undefined ? Array.from({ length: PARTITIONS }, (_, one) => one) : [partition];
    const lost = concerned.map((one) => ({ one, ...this.#parts.recent?.of(one) }));
    const writes = [...lost.flatMap((share) => share.writes ?? []), ...others];
    for (const isFirst of [true, false]) {
      for (const { key, entry } of writes) if ((entry.kind === 'tombstone') === isFirst) this.#sayAgain(key, entry);
    }
    for (const { one, forgotten } of lost) if (forgotten !== undefined) this.#raise(one, forgotten);
    if (this.#lost.size > 0) this.#later(0);
  }

  /** What the level is still to be told of a partition (of all, when left out). */
  waitingOf(partition: number | undefined): Write[] {
    const keys = partition === undefined ? this.#waiting.keys() : this.#shareOf(partition);
    return [...keys].map((key) => ({ key, entry: this.#waiting.get(key) as Entry, mode: 'set' }));
  }

  /**
   * Sends what waits as long as the level takes it.
   * @returns how many writes are lost with this process
   */
  async close(): Promise<number> {
    this.#closed = true;
    this.#cancel?.();
    while (this.size > 0 && (await this.#passWrites()));
    return this.size;
  }

  #sayAgain(key: string, entry: Entry): void {
    this.#lost.set(key, joined(this.#lost.get(key), entry));
  }

  #later(delayMs: number): void {
    if (this.#closed || this.#sending || this.size === 0) return;
    this.#cancel?.();
    this.#cancel = this.#parts.clock.schedule(delayMs, () => {
      void this.#round();
    });
  }

  async #round(): Promise<void> {
    this.#sending = true;
    const isTaken = await this.#passWrites();
    this.#sending = false;
    this.#cancel = undefined;
    this.#later(isTaken ? PAUSE_MS : RETRY_MS);
  }

  /** @returns whether the level took at least one of them */
  async #passWrites(): Promise<boolean> {
    const wallMs = this.#parts.clock.wallMs();
    const batch: Write[] = [];
    for (const queue of [this.#lost, this.#waiting]) {
      for (const [key, entry] of queue) {
        if (batch.length === BATCH) break;
        if (freshness(entry, wallMs) === 'dead') this.#forget(key, entry);
        else batch.push({ key, entry, mode: 'set' });
      }
    }
    if (batch.length === 0) return true;
    const outcomes = await this.#parts.tier.write(batch, this.#call());
    let taken = 0;
    batch.forEach((write, i) => {
      const outcome = outcomes[i]?.kind;
      if (outcome === 'stored') this.taken(write);
      if (outcome === 'stored' || outcome === 'superseded') {
        taken += 1;
        this.#forget(write.key, write.entry);
      } else {
        // Not before the others again: a part of the level that stays away must not keep them from theirs.
        this.#postpone(write.key, write.entry);
      }
    });
    return taken > 0;
  }

  /** By identity: what came in while the round was under way stays. */
  #forget(key: string, entry: Entry): void {
    if (this.#lost.get(key) === entry) this.#lost.delete(key);
    if (this.#waiting.get(key) !== entry) return;
    this.#waiting.delete(key);
    this.#shareOf(partitionOf(key)).delete(key);
    this.#bytes -= entry.payload.length;
  }

  #postpone(key: string, entry: Entry): void {
    for (const queue of [this.#lost, this.#waiting]) {
      if (queue.get(key) !== entry) continue;
      queue.delete(key);
      queue.set(key, entry);
    }
  }

  #shareOf(partition: number): Set<string> {
    let share = this.#shares.get(partition);
    if (share === undefined) {
      share = new Set();
      this.#shares.set(partition, share);
    }
    return share;
  }

  #giveUpFullest(): void {
    const [fullest, keys] = [...this.#shares].reduce((a, b) => (b[1].size > a[1].size ? b : a));
    this.overflowed += keys.size;
    for (const key of keys) this.#forget(key, this.#waiting.get(key) as Entry);
    this.#raise(fullest, this.#parts.hlc.late());
  }

  #raise(partition: number, hlc: Hlc): void {
    const floor: Floor = { scope: 'partition', subject: String(partition), hlc };
    this.#parts.floors.raise(floor);
    // A feed that cannot pass it on now keeps it and passes it on later.
    void this.#parts.feed.raise(floor, this.#call());
  }

  #call(): Call {
    return { deadlineAtMs: this.#parts.clock.monotonicMs() + ROUND_MS, signal: undefined, reason: 'write' };
  }
}

function joined(known: Entry | undefined, entry: Entry): Entry {
  return known === undefined ? entry : mergeEntries(known, entry, 'set').entry;
}
