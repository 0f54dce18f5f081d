import type { EvictionPolicy } from './eviction.js';

/** Nothing is evicted: what does not fit is not kept, until something that is here dies or is dropped. */
export const NO_EVICTION: EvictionPolicy = Object.freeze({
  admits: () => true,
  onInsert() {},
  onHit() {},
  favor() {},
  onResize() {},
  onRemove() {},
  victim: () => -1,
  clear() {},
});
