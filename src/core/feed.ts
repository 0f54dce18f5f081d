import type { Call } from './call.js';
import type { Floor } from './floors.js';
import type { WriteOutcome } from './outcome.js';
import type { Version } from './version.js';

/** Something that happened to what other nodes share with us. */
export type Change =
  /**
   * The entry of `key` was written, and what the level keeps now has this version; or it was `deleted`, and this is
   * the newest data version that was known of it.
   */
  | { readonly kind: 'entry'; readonly key: string; readonly version: Version; readonly deleted: boolean }
  | { readonly kind: 'floor'; readonly floor: Floor }
  /**
   * Changes of a partition (of all, when left out) may have been missed: nothing that is held of it can be trusted.
   * With `lost`, the level itself may have lost what it had acknowledged there: a fail-over, a flush.
   */
  | { readonly kind: 'gap'; readonly partition?: number; readonly lost?: boolean }
  /** Every change of the partition that was acknowledged before this monotonic instant has been told. */
  | { readonly kind: 'known'; readonly partition: number; readonly sinceMs: number };

/** How changes made elsewhere reach this process, and how floors raised here reach the others. */
export interface Feed {
  /** Every change from now on; set once, before the first read. */
  listen(onChange: (change: Change) => void): void;
  /** Makes a floor known to every node that shares this feed. Never rejects. */
  raise(floor: Floor, call: Call): Promise<WriteOutcome>;
}
