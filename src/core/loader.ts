import type { LoadCall, LoadOptions } from './cache.js';

/** Values of the keys that the source has, and how the one of a key is to be kept. */
export interface Loader {
  load(keys: readonly string[], call: LoadCall): Promise<ReadonlyMap<string, unknown>>;
  lifetimeOf?(value: unknown, key: string): LoadOptions;
}
