import type { Known, LoadCall, LoadOptions } from './cache.js';

/** Values of the keys that the source has, and how the one of a key is to be kept. */
export interface Loader {
  load(keys: readonly string[], call: LoadCall, known: Known<string, unknown>): Promise<ReadonlyMap<string, unknown>>;
  lifetimeOf?(value: unknown, key: string): LoadOptions;
  /** What is to be kept of a value; throws for one that must not be. */
  accept?(value: unknown, key: string): unknown;
  /** Whether a key that failed like this is left out, and the call does not fail for it. */
  leavesOut?(error: Error): boolean;
}
