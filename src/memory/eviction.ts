/**
 * Which entry has to go when there is no room. A policy knows slots, small integers that are used again and again, the
 * hashes of their keys, by which it remembers what is gone, and their weights; neither keys nor values. So a recorded
 * trace can drive it as well as the tier does.
 */
export interface EvictionPolicy {
  /**
   * Whether a new entry is worth the room that it would take from others. Asked when there is no room, and is a use.
   * @param hot others ask for it often: `favor` follows, if it is admitted
   */
  admits(keyHash: number, weight: number, hot?: boolean): boolean;
  /** A new entry lives in `slot`. Room was made for it before. */
  onInsert(slot: number, keyHash: number, weight: number): void;
  /** Its entry was read. On the path of every hit. */
  onHit(slot: number): void;
  /** Others ask for its entry often: it stays, whatever the reads here say, as far as there is room for such. */
  favor(slot: number): void;
  /** Its entry weighs more or less than before. */
  onResize(slot: number, weight: number): void;
  /** Its entry is gone, evicted or not. */
  onRemove(slot: number): void;
  /** The slot whose entry should go next; -1 when there is none. The caller removes it (`onRemove`). */
  victim(): number;
  /** All entries are gone. */
  clear(): void;
}
