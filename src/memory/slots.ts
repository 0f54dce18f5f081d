import { EntryColumns } from './entry-columns.js';
import { SlotRows } from './slot-rows.js';

/** The heads of pages are looked at by every hit: few enough to stay in the nearest cache of the processor. */
const PAGE_BITS = 14;
const PAGE_SLOTS = 1 << PAGE_BITS;
const PAGE_MASK = PAGE_SLOTS - 1;

/** What lies in `values` of a slot. */
export type Content = number;
/** The slot has no entry. */
export const FREE: Content = 0;
/** There is nothing to hand out: an absent entry or a tombstone. */
export const NOTHING: Content = 1;
/** Bytes that nobody has asked for yet. */
export const UNREAD: Content = 2;
/** Bytes that one reader got decoded, unprotected and to itself. */
export const READ_ONCE: Content = 3;
/** Bytes that every reader gets a copy of, since their value cannot be protected. */
export const COPIED: Content = 4;
/** The decoded value, which every reader gets. */
export const SHARED: Content = 5;

/** Whether what lies there can be handed out as it is. */
export function isDecoded(content: Content): boolean {
  return content === SHARED || content === NOTHING;
}

/** A stamp that no state of the world has: the entry must be looked at before it is handed out. */
export const NO_STAMP = 0;

/** The columns of so many slots. */
export class Page {
  readonly keys: string[];
  readonly values: unknown[];
  readonly rows: SlotRows;
  readonly sizesBytes: Uint32Array;
  readonly entries: EntryColumns;

  constructor(slots: number) {
    this.keys = new Array<string>(slots).fill('');
    this.values = new Array<unknown>(slots).fill(undefined);
    this.rows = new SlotRows(slots);
    this.sizesBytes = new Uint32Array(slots);
    this.entries = new EntryColumns(slots);
  }
}

/**
 * Slots for entries, by number. They come in pages, so that growing costs the same however many there are: nothing is
 * copied.
 */
export class Slots {
  readonly #pageSlots: number;
  #pages: Page[] = [];
  #freeSlot = -1;
  #end = 0;
  #used = 0;

  /** @param most how many will be in use at a time, at most */
  constructor(most: number) {
    this.#pageSlots = Math.min(PAGE_SLOTS, most);
  }

  /** How many are in use. */
  get used(): number {
    return this.#used;
  }

  /** One behind the highest slot that was ever in use. */
  get end(): number {
    return this.#end;
  }

  pageOf(slot: number): Page {
    return this.#pages[slot >> PAGE_BITS] as Page;
  }

  /** Where in its page a slot is. */
  static placeOf(slot: number): number {
    return slot & PAGE_MASK;
  }

  /** A slot that is free; the one that was given back last, if there is one. */
  take(): number {
    this.#used += 1;
    if (this.#freeSlot === -1) {
      const slot = this.#end++;
      if (slot >> PAGE_BITS === this.#pages.length) this.#pages.push(new Page(this.#pageSlots));
      return slot;
    }
    const slot = this.#freeSlot;
    const page = this.pageOf(slot);
    const at = Slots.placeOf(slot);
    // A free slot has no size: there it keeps the next free one, counted from 1.
    this.#freeSlot = (page.sizesBytes[at] as number) - 1;
    return slot;
  }

  /** Takes a slot back, and lets go of all that it kept alive. */
  giveBack(slot: number): void {
    const page = this.pageOf(slot);
    const at = Slots.placeOf(slot);
    page.keys[at] = '';
    page.values[at] = undefined;
    page.rows.setContent(at, FREE);
    page.entries.release(at);
    page.sizesBytes[at] = this.#freeSlot + 1;
    this.#freeSlot = slot;
    this.#used -= 1;
  }

  clear(): void {
    this.#pages = [];
    this.#freeSlot = -1;
    this.#end = 0;
    this.#used = 0;
  }
}
