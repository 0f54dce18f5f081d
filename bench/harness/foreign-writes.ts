/** How long readers are given the old value after somebody else has committed a new one. */
import { setImmediate as turn } from 'node:timers/promises';

export interface StalenessQuestion {
  /** Writes, behind the back of the cache; resolves when it is committed. */
  readonly commit: () => Promise<unknown>;
  /** One per node: whether a read of it gives the new value. */
  readonly readers: readonly (() => Promise<boolean>)[];
  /** After which a reader that still is stale is given up. */
  readonly boundMs: number;
}

/**
 * Reads from every node without a pause.
 * @returns for each, the ms from the commit to the beginning of its last stale read; infinite when that was not the last
 */
export async function measureStaleness({ commit, readers, boundMs }: StalenessQuestion): Promise<number[]> {
  let committedAtMs = Number.POSITIVE_INFINITY;
  const watching = readers.map(async (isFresh) => {
    let lastStaleAtMs = Number.NEGATIVE_INFINITY;
    for (;;) {
      const beganAtMs = performance.now();
      if (beganAtMs - committedAtMs > boundMs) return Number.POSITIVE_INFINITY;
      if (await isFresh()) return Math.max(0, lastStaleAtMs - committedAtMs);
      lastStaleAtMs = beganAtMs;
      await turn();
    }
  });
  await commit();
  committedAtMs = performance.now();
  return Promise.all(watching);
}
