/** How long nodes say different things, and none of them says that it might be outdated. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Stage } from './stage.js';
import type { CacheNode, Read } from './subject.js';
import { expectThat, said } from './waiting.js';

const WATCHED_MS = 5_000;
/** So long a client may take to find its servers again before there is nothing to compare with. */
const FOUND_BOUND_MS = 60_000;
const READ_AT_ONCE = 100;
const ANSWER_BOUND_MS = 1_000;

export interface Disagreement {
  /** The longest that a node said something else about a key than one that asks L2. */
  readonly ms: number;
  /** How many answers were wrong when some were wrong last. */
  readonly count: number;
  /** When what was written last was there again, if it was. */
  readonly healedAtMs: number | undefined;
}

/**
 * Watches what nodes say of keys from now on. How long one was wrong about a key counts from when it was last seen to be
 * right; at first from now on. A miss is no answer, and no harm; while the one that asks L2 has none, there is nothing to
 * compare with.
 * @param reader holds none of the keys, and so asks L2
 */
export async function watchDisagreement(
  stage: Stage,
  holders: readonly CacheNode[],
  reader: CacheNode,
  { keys, last }: { readonly keys: readonly string[]; readonly last: unknown },
): Promise<Disagreement> {
  const watch = new Watch(holders, keys, last);
  await watch.until(reader, WATCHED_MS);
  // Some tell every node what is written, so that all agree on what is lost. One that was not there does not.
  watch.forgetWhoWasRight();
  await watch.until((await stage.latecomer()).cache, 0);
  return { ms: watch.worstMs, count: watch.count, healedAtMs: watch.healedAtMs };
}

class Watch {
  worstMs = 0;
  count = 0;
  healedAtMs: number | undefined;
  readonly #keys: readonly string[];
  readonly #last: unknown;
  readonly #startedMs = performance.now();
  /** When each holder was last right about each key. */
  readonly #rightAtMs: Map<CacheNode, number[]>;

  constructor(holders: readonly CacheNode[], keys: readonly string[], last: unknown) {
    this.#keys = keys;
    this.#last = last;
    this.#rightAtMs = new Map(holders.map((cache) => [cache, keys.map(() => 0)]));
  }

  forgetWhoWasRight(): void {
    for (const right of this.#rightAtMs.values()) right.fill(0);
  }

  /** Looks until that time has passed and everything that the holders vouch for could be compared. */
  async until(asking: CacheNode, watchedMs: number): Promise<void> {
    for (let isOver = false; !isOver; ) {
      const nowMs = this.#elapsedMs();
      expectThat(nowMs < FOUND_BOUND_MS, `unflagged, and L2 is not found again within ${said(nowMs)}`);
      const unknown = await this.#look(asking);
      isOver = unknown === 0 && this.#elapsedMs() >= watchedMs;
    }
  }

  /** @returns how many answers could not be compared */
  async #look(asking: CacheNode): Promise<number> {
    let wrong = 0;
    let unknown = 0;
    let healed = 0;
    for (let from = 0; from < this.#keys.length; from += READ_AT_ONCE) {
      const some = this.#keys.slice(from, from + READ_AT_ONCE);
      let before = await readEach(asking, some);
      for (const [cache, right] of this.#rightAtMs) {
        const askedMs = this.#elapsedMs();
        const reads = await readEach(cache, some);
        const after = await readEach(asking, some);
        // What was lost may be written again by those who know it, between any two reads.
        const isWrong = reads.map((read, i) => differ(read, before[i] as Read) && differ(read, after[i] as Read));
        unknown += reads.filter((read, i) => isVouchedFor(read) && after[i]?.value === undefined).length;
        wrong += isWrong.filter(Boolean).length;
        this.#judge(isWrong, right, from, askedMs);
        before = after;
      }
      healed += before.filter(({ value }) => value === this.#last).length;
    }
    if (wrong > 0) this.count = wrong;
    if (healed === this.#keys.length) this.healedAtMs ??= this.#elapsedMs();
    return unknown;
  }

  #judge(isWrong: readonly boolean[], right: number[], from: number, askedMs: number): void {
    for (const [i, wrong] of isWrong.entries()) {
      if (wrong) this.worstMs = Math.max(this.worstMs, askedMs - (right[from + i] as number));
      else right[from + i] = askedMs;
    }
  }

  #elapsedMs(): number {
    return performance.now() - this.#startedMs;
  }
}

/** What waits for a server that is gone says nothing wrong: it counts as an answer that nobody vouches for. */
export function readEach(cache: CacheNode, keys: readonly string[]): Promise<Read[]> {
  return Promise.all(keys.map((key) => Promise.race([cache.read(key).catch(() => NO_ANSWER), noAnswer()])));
}

const NO_ANSWER: Read = { value: undefined, flagged: true };

function noAnswer(): Promise<Read> {
  return sleep(ANSWER_BOUND_MS, NO_ANSWER, { ref: false });
}

function differ(one: Read, other: Read): boolean {
  return isVouchedFor(one) && isVouchedFor(other) && one.value !== other.value;
}

function isVouchedFor({ value, flagged }: Read): boolean {
  return value !== undefined && !flagged;
}
