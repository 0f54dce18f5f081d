import type { Clock } from './clock.js';
import { type Entry, mergeEntries } from './entry.js';
import { compareHlc, HLC_ZERO, type Hlc, laterHlc } from './hlc.js';
import { partitionOf } from './key.js';
import type { Write } from './tier.js';

/**
 * How long an acknowledged write may be lost all the same, in ms. A replica may succeed its primary only if it heard of
 * it within node timeout x validity factor + ping period (30 s by Redis's defaults at a node timeout of 2 s); the
 * election takes four, and until we hear of it, two more. The rest is for slow machines.
 */
export const RECENT_MS = 40_000;
/** Writes remembered of each of the 256 partitions: 32,768 in all, some 15 MiB with small values. */
const KEYS_MAX = 128;
/** Payload remembered of each: 16 MiB in all. */
const BYTES_MAX = 65_536;

interface Recent {
  readonly entry: Entry;
  readonly atMs: number;
}

interface Share {
  /** By key, the oldest first. */
  readonly writes: Map<string, Recent>;
  sizeBytes: number;
  /** The latest reading among those that had to be forgotten before their time, and when the last of them was taken. */
  forgotten: Hlc;
  forgottenAtMs: number;
}

/** What a level lost that this node had told it. */
export interface Lost {
  readonly writes: readonly Write[];
  /** Others were made up to this reading that are not remembered. */
  readonly forgotten: Hlc | undefined;
}

/**
 * What this node wrote to a level of late, and the level acknowledged: of each key the newest state. A level that
 * replicates asynchronously may lose it in a fail-over; whoever made a write can then say it again.
 *
 * Bounded by time, and by number and bytes per partition. What does not fit leaves the reading up to which something is missing.
 */
export class RecentWrites {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #shares = new Map<number, Share>();

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** The level has acknowledged this set or delete. */
  note({ key, entry }: Write): void {
    const nowMs = this.#clock.monotonicMs();
    const share = this.#shareOf(partitionOf(key));
    const known = share.writes.get(key)?.entry;
    const kept = known === undefined ? entry : mergeEntries(known, entry, 'set').entry;
    drop(share, key);
    share.writes.set(key, { entry: kept, atMs: nowMs });
    share.sizeBytes += kept.payload.length;
    for (const [oldest, { entry: gone, atMs }] of share.writes) {
      const isOver = nowMs - atMs > RECENT_MS;
      if (!isOver && share.writes.size <= KEYS_MAX && share.sizeBytes <= BYTES_MAX) break;
      drop(share, oldest);
      if (isOver) continue;
      share.forgotten = laterHlc(share.forgotten, laterHlc(gone.fillStart, gone.fence));
      share.forgottenAtMs = atMs;
    }
  }

  /** What the level had acknowledged of a partition, and may have lost. It stays remembered. */
  of(partition: number): Lost {
    const share = this.#shares.get(partition);
    if (share === undefined) return NOTHING;
    const sinceMs = this.#clock.monotonicMs() - RECENT_MS;
    const recent = [...share.writes].filter(([, { atMs }]) => atMs >= sinceMs);
    const isMissing = share.forgottenAtMs >= sinceMs && compareHlc(share.forgotten, HLC_ZERO) > 0;
    return {
      writes: recent.map(([key, { entry }]) => ({ key, entry, mode: 'set' })),
      forgotten: isMissing ? share.forgotten : undefined,
    };
  }

  #shareOf(partition: number): Share {
    let share = this.#shares.get(partition);
    if (share === undefined) {
      share = { writes: new Map(), sizeBytes: 0, forgotten: HLC_ZERO, forgottenAtMs: Number.NEGATIVE_INFINITY };
      this.#shares.set(partition, share);
    }
    return share;
  }
}

const NOTHING: Lost = Object.freeze({ writes: [], forgotten: undefined });

function drop(share: Share, key: string): void {
  const known = share.writes.get(key);
  if (known === undefined) return;
  share.writes.delete(key);
  share.sizeBytes -= known.entry.payload.length;
}
