/**
 * Which entry has to go when there is no room. A policy knows slots, small integers that are used again and again, and
 * neither keys nor values: so a recorded trace can drive it as well as the tier does.
 */
export interface EvictionPolicy {
  /** A new entry lives in `slot`. */
  onInsert(slot: number): void;
  /** Its entry was read. On the path of every hit. */
  onHit(slot: number): void;
  /** Its entry is gone, evicted or not. */
  onRemove(slot: number): void;
  /** The slot whose entry should go next; -1 when there is none. The caller removes it (`onRemove`). */
  victim(): number;
  /** All entries are gone. */
  clear(): void;
}
