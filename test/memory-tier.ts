import type { Call } from '../src/core/call.js';
import type { Clock } from '../src/core/clock.js';
import { type Entry, freshness, mergeEntries } from '../src/core/entry.js';
import { encodeHead } from '../src/core/entry-format.js';
import type { Change, Feed } from '../src/core/feed.js';
import { type Level, MISS, type Outcome, type SkipReason, STORED, type WriteOutcome } from '../src/core/outcome.js';
import type { HeldCopies, Serves, Tier, Write } from '../src/core/tier.js';

/** One operation that was stopped on its way. */
export interface Hold {
  /** Resolves when an operation has come to where it is held. */
  readonly arrived: Promise<void>;
  release(): void;
}

type Point = 'before read' | 'after read' | 'before write' | 'after write';

interface Waiting extends Hold {
  readonly point: Point;
  readonly arrive: () => void;
  readonly released: Promise<void>;
}

/** A whole tier in memory, with a feed, that can be told to fail, to be skipped, or to be slow at a given point. */
export class MemoryTier implements Tier {
  readonly level: Level;
  readonly entries = new Map<string, Entry>();
  /** What it was asked, in order: `read a,b`, `write a`. */
  readonly asked: string[] = [];
  /** Whether it confirms copies that the asker holds, instead of sending its own. */
  saysSame = false;
  failing: Error | undefined;
  skipping: SkipReason | undefined;
  closed = false;
  readonly #clock: Clock;
  readonly #holds: Waiting[] = [];
  readonly #listeners = new Set<(change: Change) => void>();
  #undelivered: Change[] | undefined;

  constructor(level: Level, clock: Clock) {
    this.level = level;
    this.#clock = clock;
  }

  async read(keys: readonly string[], _call?: Call, _serves?: Serves, held?: HeldCopies): Promise<readonly Outcome[]> {
    this.asked.push(`read ${keys.join()}`);
    await this.#pass('before read');
    const trouble = this.#trouble();
    if (trouble !== undefined) return keys.map(() => trouble);
    const outcomes = keys.map((key): Outcome => {
      const entry = this.#find(key);
      if (entry === undefined) return MISS;
      const copy = this.saysSame ? held?.(key)?.entry : undefined;
      const isSame = copy !== undefined && Buffer.from(encodeHead(copy)).equals(encodeHead(entry));
      return isSame ? { kind: 'found', entry: copy, same: true } : { kind: 'found', entry };
    });
    await this.#pass('after read');
    return outcomes;
  }

  async write(writes: readonly Write[]): Promise<readonly WriteOutcome[]> {
    this.asked.push(`write ${writes.map(({ key }) => key).join()}`);
    await this.#pass('before write');
    const trouble = this.#trouble();
    if (trouble !== undefined) return writes.map(() => trouble);
    const outcomes = writes.map((write) => this.#apply(write));
    await this.#pass('after write');
    return outcomes;
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  /** The next operation that comes to `point` stops there until it is released. */
  hold(point: Point): Hold {
    const { promise: arrived, resolve: arrive } = withResolvers();
    const { promise: released, resolve: release } = withResolvers();
    const waiting: Waiting = { point, arrived, arrive, released, release };
    this.#holds.push(waiting);
    return waiting;
  }

  /** A feed of its changes; each node has one of its own, and hears of its own writes too. */
  feed(): Feed {
    return {
      listen: (onChange) => {
        this.#listeners.add(onChange);
      },
      raise: async (floor) => {
        const trouble = this.#trouble();
        if (trouble !== undefined) return trouble;
        this.announce({ kind: 'floor', floor });
        return STORED;
      },
    };
  }

  announce(change: Change): void {
    if (this.#undelivered !== undefined) this.#undelivered.push(change);
    else for (const listener of this.#listeners) listener(change);
  }

  /** Changes are kept back from now on. @returns what delivers them */
  delayFeed(): () => void {
    this.#undelivered ??= [];
    return () => {
      const changes = this.#undelivered ?? [];
      this.#undelivered = undefined;
      for (const change of changes) this.announce(change);
    };
  }

  #apply({ key, entry, mode }: Write): WriteOutcome {
    const merged = mergeEntries(this.#find(key), entry, mode);
    this.entries.set(key, merged.entry);
    if (!merged.accepted) return { kind: 'superseded', by: merged.entry.version };
    if (mode === 'set') {
      const { version, kind } = merged.entry;
      this.announce({ kind: 'entry', key, version, deleted: kind === 'tombstone' });
    }
    return STORED;
  }

  #find(key: string): Entry | undefined {
    const entry = this.entries.get(key);
    return entry === undefined || freshness(entry, this.#clock.wallMs()) === 'dead' ? undefined : entry;
  }

  #trouble(): { kind: 'failed'; error: Error } | { kind: 'skipped'; why: SkipReason } | undefined {
    if (this.skipping !== undefined) return { kind: 'skipped', why: this.skipping };
    return this.failing === undefined ? undefined : { kind: 'failed', error: this.failing };
  }

  async #pass(point: Point): Promise<void> {
    const at = this.#holds.findIndex((hold) => hold.point === point);
    if (at === -1) return;
    const [hold] = this.#holds.splice(at, 1);
    hold?.arrive();
    await hold?.released;
  }
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void;
  const promise = new Promise<void>((onDone) => {
    resolve = onDone;
  });
  return { promise, resolve };
}
