import type { Call } from '../core/call.js';
import type { Chance } from '../core/chance.js';
import type { Cancel, Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import type { Floors } from '../core/floors.js';
import type { RedisConnections } from './connections.js';
import type { KeyLayout } from './key-layout.js';
import { BEGIN, KEEP } from './reclaim-scripts.js';
import { FIRST_CURSOR, PAGE_KEYS, ReclaimWalk } from './reclaim-walk.js';
import { makeRunId, runScript } from './script-run.js';
import type { Script } from './scripts.js';
import type { Answer, ShardCalls } from './shard-calls.js';

export interface ReclaimOptions {
  readonly connections: RedisConnections;
  readonly calls: ShardCalls;
  readonly layout: KeyLayout;
  readonly clock: Clock;
  readonly chance: Chance;
  /** The floors that are known here. */
  readonly floors: Pick<Floors, 'passes'>;
  /** A walk was given up; another follows. */
  onError(error: Error, shard: string): void;
}

/** After a floor; up to half as much again, so that not all nodes ask at once. */
const GATHER_MS = 1_000;
/** Two probes: a floor whose message was lost is known by then, and so is every floor before it. */
const SETTLE_MS = 1_000;
/** Of the time of a primary, and of this process. */
const SHARE = 1 / 20;
/** However slow the answers are. */
const PAUSE_MAX_MS = 5_000;
const PAGE_BOUND_MS = 1_000;
/** Pages of a primary that may fail one after another before the walk is given up. */
const FAILURES_MAX = 10;
/** Longer than any pause: a walker that dies is followed by another after so long. */
const LOCK_MS = 15_000;
const KEEP_EVERY_MS = 4_000;
/**
 * Between the end of a walk and the next one. To Redis a look at an entry is a use of it, which `volatile-lfu` has
 * forgotten after a minute: walks must not follow each other faster.
 */
const REST_MS = 300_000;

/**
 * Gives back the memory of what lies below a floor, in the background.
 *
 * After floors were raised one node of the city walks through the keys of all primaries, one primary after the other. A
 * lock in Redis says who; the position of the floors' stream says whether there is anything to do. When a walk ends its
 * lock is left to run out, so the rest between walks needs nobody's memory. Whatever is missed here (a slot that moves, a
 * fill that is late) expires or is evicted like everything else, and is served to nobody meanwhile.
 */
export class Reclaim {
  readonly #options: ReclaimOptions;
  readonly #walk: ReclaimWalk;
  #closed = false;
  #running = false;
  #isDue = false;
  #cancelTimer: Cancel | undefined;
  #endPause = (): void => {};

  constructor(options: ReclaimOptions) {
    this.#options = options;
    this.#walk = new ReclaimWalk(options);
  }

  /** A floor is known that was not: there may be something to give back. */
  floorRaised(): void {
    this.#isDue = true;
    if (!this.#running) this.#runIn(GATHER_MS);
  }

  stop(): void {
    this.#closed = true;
    this.#cancelTimer?.();
    this.#endPause();
  }

  #runIn(ms: number): void {
    if (this.#closed || this.#cancelTimer !== undefined) return;
    const { clock, chance } = this.#options;
    this.#cancelTimer = clock.schedule(ms * (1 + chance.next() / 2), () => {
      this.#cancelTimer = undefined;
      // It never rejects.
      void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    this.#isDue = false;
    const againInMs = await this.#turn().catch((thrown: unknown) => {
      const { connections, layout, onError } = this.#options;
      if (!this.#closed) onError(toError(thrown), connections.ownerOf(layout.floors.slot) ?? 'floors');
      return LOCK_MS;
    });
    this.#running = false;
    if (againInMs !== undefined) this.#runIn(againInMs);
    else if (this.#isDue) this.#runIn(GATHER_MS);
  }

  /** @returns in how many ms to ask again; undefined when no floor waits for a walk */
  async #turn(): Promise<number | undefined> {
    const { clock, chance, layout } = this.#options;
    const { sequenceKey, walkedKey, walkLockKey } = layout.floors;
    const id = makeRunId(chance);
    const reply = await this.#ask(BEGIN, [sequenceKey, walkedKey, walkLockKey], [id, String(LOCK_MS)]);
    if (reply === 0) return undefined;
    if (typeof reply === 'number') return Math.max(reply, GATHER_MS);
    await this.#pause(SETTLE_MS);
    const lock = { id, keptAtMs: clock.monotonicMs() };
    const isWhole = await this.#walkAll(lock);
    if (this.#closed) return undefined;
    await this.#keep(lock, REST_MS, isWhole ? String(reply) : '');
    return REST_MS;
  }

  /** @returns whether every key was looked at that was there from beginning to end */
  async #walkAll(lock: Lock): Promise<boolean> {
    const { connections, layout } = this.#options;
    const owners = (): string => layout.partitions.map(({ slot }) => connections.ownerOf(slot)).join();
    const before = owners();
    const primaries = new Map(layout.partitions.map(({ slot }) => [connections.ownerOf(slot), slot]));
    let isWhole = true;
    for (const [shard, slot] of primaries) {
      if (shard === undefined || !(await this.#walkPrimary(shard, slot, lock))) isWhole = false;
    }
    return isWhole && owners() === before;
  }

  async #walkPrimary(shard: string, slot: number, lock: Lock): Promise<boolean> {
    const { calls, clock, connections, onError } = this.#options;
    let cursor = FIRST_CURSOR;
    let failures = 0;
    do {
      if (clock.monotonicMs() - lock.keptAtMs > KEEP_EVERY_MS) await this.#keep(lock, LOCK_MS, '');
      // A cursor means something to its own server only.
      if (this.#closed || connections.ownerOf(slot) !== shard) return false;
      const startedMs = clock.monotonicMs();
      const call = this.#call();
      const ask = () => this.#walk.page(slot, cursor, call);
      const [answer] = await calls.askAll([{ slot, keys: PAGE_KEYS, ask }], call);
      failures = answer?.kind === 'answered' ? 0 : failures + 1;
      if (answer?.kind === 'answered') cursor = answer.value;
      if (failures > FAILURES_MAX) {
        onError(failureOf(answer), shard);
        return false;
      }
      const tookMs = clock.monotonicMs() - startedMs;
      await this.#pause(failures > 0 ? PAUSE_MAX_MS : Math.min(PAUSE_MAX_MS, tookMs * (1 / SHARE - 1)));
    } while (cursor !== FIRST_CURSOR || failures > 0);
    return true;
  }

  /** @throws CacheError `level-failed` when the lock is somebody else's */
  async #keep(lock: Lock, ms: number, walkedTo: string): Promise<void> {
    const { walkedKey, walkLockKey } = this.#options.layout.floors;
    const isOurs = await this.#ask(KEEP, [walkLockKey, walkedKey], [lock.id, String(ms), walkedTo]);
    if (isOurs !== 1) throw new CacheError('level-failed', 'a walk through redis was given up: its lock is gone');
    lock.keptAtMs = this.#options.clock.monotonicMs();
  }

  async #ask(script: Script, keys: readonly string[], values: readonly string[]): Promise<unknown> {
    const { calls, connections, layout } = this.#options;
    const { slot } = layout.floors;
    const call = this.#call();
    const answer = await calls.askOne(slot, call, () => runScript(connections, call, slot, script, keys, values));
    if (answer.kind !== 'answered') throw failureOf(answer);
    return answer.value;
  }

  #call(): Call {
    return { deadlineAtMs: this.#options.clock.monotonicMs() + PAGE_BOUND_MS, signal: undefined, reason: 'refresh' };
  }

  /** Ends early when all of this does. */
  #pause(ms: number): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#options.clock.schedule(ms, resolve);
      this.#endPause = () => {
        cancel();
        resolve();
      };
    });
  }
}

interface Lock {
  readonly id: string;
  keptAtMs: number;
}

function failureOf(answer: Answer<unknown> | undefined): Error {
  if (answer?.kind === 'failed') return answer.error;
  const why = answer?.kind === 'skipped' ? answer.why : 'no answer';
  return new CacheError('level-failed', `a walk through redis was given up: ${why}`);
}
