import { waitUntil } from '../../src/cli/servers/wait.js';
import type { Call } from '../../src/core/call.js';
import { type Entry, NO_TAGS, tombstone } from '../../src/core/entry.js';
import type { Change } from '../../src/core/feed.js';
import { PARTITIONS, partitionOf } from '../../src/core/key.js';
import type { Outcome, WriteOutcome } from '../../src/core/outcome.js';
import type { Write } from '../../src/core/tier.js';
import type { Version } from '../../src/core/version.js';
import { systemChance, systemClock } from '../../src/node/system-clock.js';
import { createRedis, type Redis, type RedisOptions } from '../../src/redis/redis.js';
import { makeOwnPrefix } from '../servers.js';

/** L2 as one node of a city has it, and what happened to it. */
export class RedisSubject {
  readonly redis: Redis;
  readonly prefix: string;
  /** What the feed said, in order; but for what it vouches for, since when, by partition. */
  readonly changes: Change[] = [];
  readonly known = new Map<number, number>();
  /** What went wrong, in order. */
  readonly errors: { readonly error: Error; readonly shard: string }[];

  private constructor(redis: Redis, prefix: string, errors: { error: Error; shard: string }[]) {
    this.redis = redis;
    this.prefix = prefix;
    this.errors = errors;
  }

  /** Connects to real servers by the real clock, under a prefix of its own unless one is given, and listens. */
  static async open(nodes: readonly string[], options: Partial<RedisOptions> = {}): Promise<RedisSubject> {
    const errors: { error: Error; shard: string }[] = [];
    const prefix = options.prefix ?? makeOwnPrefix();
    const redis = await createRedis({
      nodes,
      clock: systemClock,
      chance: systemChance,
      onError: (error, shard) => errors.push({ error, shard }),
      ...options,
      prefix,
    });
    const subject = new RedisSubject(redis, prefix, errors);
    redis.feed.listen((change) => {
      if (change.kind === 'known') subject.known.set(change.partition, change.sinceMs);
      else subject.changes.push(change);
    });
    await redis.start();
    // On a busy machine the start's own bound may pass first; what a test writes before would be told as a gap.
    if (redis.health().some(({ ok }) => ok)) {
      const what = 'the feed to vouch for every partition';
      await waitUntil({ what, boundMs: PATIENCE_MS }, () => subject.known.size === PARTITIONS);
    }
    return subject;
  }

  async read(key: string, withinMs = PATIENCE_MS): Promise<Outcome> {
    return (await this.redis.tier.read([key], callWithin(withinMs)))[0]!;
  }

  async write(key: string, entry: Entry, mode: Write['mode'] = 'set', withinMs = PATIENCE_MS): Promise<WriteOutcome> {
    return (await this.redis.tier.write([{ key, entry, mode }], callWithin(withinMs)))[0]!;
  }

  /** What the feed said of a key. */
  of(key: string): Change[] {
    return this.changes.filter((change) => change.kind === 'entry' && change.key === key);
  }

  /** How often the feed said that changes of the partition of a key may have been lost. */
  gapsOf(key: string): number {
    return this.changes.filter((change) => change.kind === 'gap' && change.partition === partitionOf(key)).length;
  }

  /** Of those, the ones at which Redis may have lost what it had acknowledged. */
  lossesOf(key: string): number {
    return this.changes.filter((one) => one.kind === 'gap' && one.partition === partitionOf(key) && one.lost).length;
  }
}

const PATIENCE_MS = 10_000;
const LIFETIME_MS = 600_000;

export function callWithin(ms: number): Call {
  return { deadlineAtMs: systemClock.monotonicMs() + ms, signal: undefined, reason: 'read' };
}

export function versionAt(ms: number): Version {
  return { eventTimeMs: ms, hlc: { ms, counter: 0 }, origin: 7 };
}

/** A value whose data came about, and were set or asked for, at `atMs`. */
export function valueAt(atMs: number, text = `value ${atMs}`, askedMs = atMs): Entry {
  return {
    kind: 'value',
    payload: Buffer.from(text),
    version: versionAt(atMs),
    fillStart: { ms: askedMs, counter: 0 },
    fence: { ms: 0, counter: 0 },
    createdAtMs: systemClock.wallMs(),
    freshUntilMs: systemClock.wallMs() + LIFETIME_MS,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    tags: NO_TAGS,
  };
}

export function deletedAt(fenceMs: number, knownMs: number): Entry {
  return tombstone({ ms: fenceMs, counter: 0 }, versionAt(knownMs), systemClock.wallMs(), LIFETIME_MS);
}

export function textOf(outcome: Outcome): string {
  return outcome.kind === 'found' ? Buffer.from(outcome.entry.payload).toString() : outcome.kind;
}
