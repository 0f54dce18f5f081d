import { type Call, deadlineError, remainingMs } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import type { Entry } from '../core/entry.js';
import { decodeEntry, ENTRY_HEAD_BYTES } from '../core/entry-format.js';
import { CacheError, toError } from '../core/errors.js';
import type { Floors } from '../core/floors.js';
import { partitionOf } from '../core/key.js';
import { batchByPartition, SCRIPT_KEYS_MAX } from './batches.js';
import type { RedisConnections } from './connections.js';
import type { KeyLayout, PartitionKeys } from './key-layout.js';
import { REMOVE } from './reclaim-scripts.js';
import { runScript } from './script-run.js';

export interface ReclaimWalkOptions {
  readonly connections: RedisConnections;
  readonly layout: KeyLayout;
  readonly clock: Clock;
  readonly floors: Pick<Floors, 'passes'>;
}

/** Keys of one page: a `SCAN` for so many took 1.4 ms of a primary on a machine with far too much to do, the longest 5 ms. */
export const PAGE_KEYS = 400;
/** How much of an entry is read for its tags; nearly all have fewer. */
const START_BYTES = 512;
/** What the fixed part and the most and longest tags take at most. */
const LONGEST_START_BYTES = 16_384;
/** How long this process does nothing else. Patterns without a literal part are looked at one by one, for every entry. */
const TURN_MS = 3;

export const FIRST_CURSOR = '0';

/** An entry that was looked at. */
interface Seen {
  readonly key: string;
  readonly start: Buffer;
}

/** Looks through what a primary keeps, page by page, and removes what lies below a floor. */
export class ReclaimWalk {
  readonly #options: ReclaimWalkOptions;

  constructor(options: ReclaimWalkOptions) {
    this.#options = options;
  }

  /**
   * One page of the keys of the primary that serves `slot`. What was not looked at because it was being moved, or was
   * written meanwhile, is left alone.
   * @param cursor what the page before returned
   * @returns where to go on; `FIRST_CURSOR` after the last page
   */
  async page(slot: number, cursor: string, call: Call): Promise<string> {
    const { connections, layout, clock, floors } = this.#options;
    const args = ['SCAN', cursor, 'MATCH', layout.entryPattern, 'COUNT', String(PAGE_KEYS), 'TYPE', 'string'];
    const { next, found } = parsePage(await connections.send(slot, args, call));
    // A key may come twice.
    const keys = [...new Set(found.flatMap((stored) => layout.keyOf(stored) ?? []))];
    const starts = await Promise.all(keys.map((key) => this.#start(key, START_BYTES, call)));
    const below: Seen[] = [];
    let turnEndsAtMs = clock.monotonicMs() + TURN_MS;
    for (const [at, key] of keys.entries()) {
      if (clock.monotonicMs() >= turnEndsAtMs) {
        await new Promise<void>((resolve) => clock.schedule(0, resolve));
        if (remainingMs(clock, call) <= 0) throw deadlineError('a page of a walk through redis');
        turnEndsAtMs = clock.monotonicMs() + TURN_MS;
      }
      let start = starts[at] as Buffer;
      let entry = startOf(start);
      if (entry === undefined && start.length === START_BYTES) {
        start = await this.#start(key, LONGEST_START_BYTES, call);
        entry = startOf(start);
      }
      // A tombstone has no value to give back, and is removed by rules of its own.
      if (entry === undefined || entry.kind === 'tombstone' || floors.passes(key, entry)) continue;
      below.push({ key, start });
    }
    if (below.length > 0) await this.#remove(below, call);
    return next;
  }

  async #start(key: string, sizeBytes: number, call: Call): Promise<Buffer> {
    const { slot, entryPrefix } = this.#options.layout.partitions[partitionOf(key)] as PartitionKeys;
    const args = ['GETRANGE', entryPrefix + key, '0', String(sizeBytes - 1)];
    const start = await this.#options.connections.send(slot, args, call);
    if (start instanceof Buffer) return start;
    throw new CacheError('level-failed', 'redis answered GETRANGE with something else');
  }

  async #remove(seen: readonly Seen[], call: Call): Promise<void> {
    const { connections, layout } = this.#options;
    const keys = seen.map(({ key }) => key);
    const batches = batchByPartition(layout, keys, SCRIPT_KEYS_MAX, !connections.isCluster);
    const removals = batches.map(async ({ partition, at }) => {
      const some = at.map((one) => seen[one] as Seen);
      const places = some.map(({ key }) => (layout.partitions[partitionOf(key)] as PartitionKeys).entryPrefix + key);
      const heads = some.map(({ start }) => start.subarray(0, ENTRY_HEAD_BYTES));
      await runScript(connections, call, partition.slot, REMOVE, places, heads).catch(leaveWhatMoves);
    });
    await Promise.all(removals);
  }
}

/** The entry that begins with these bytes; its payload is cut off. Undefined for what cannot be read. */
function startOf(bytes: Buffer): Entry | undefined {
  try {
    return decodeEntry(bytes);
  } catch {
    return undefined;
  }
}

function parsePage(reply: unknown): { readonly next: string; readonly found: readonly string[] } {
  const [next, found]: readonly unknown[] = Array.isArray(reply) ? reply : [];
  if (!Array.isArray(found)) throw new CacheError('level-failed', 'redis answered SCAN with something else');
  return { next: String(next), found: found.map(String) };
}

/** The slot is on its way to another node, which has some of the keys already. */
function leaveWhatMoves(thrown: unknown): void {
  if (!toError(thrown).message.startsWith('TRYAGAIN')) throw thrown;
}
