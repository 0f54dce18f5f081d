import type { Entry } from '../core/entry.js';
import { utf8Length } from '../core/key.js';

/**
 * What an entry takes besides its key, tags and value: its share of the rows and of the index, the heads of its
 * objects, and what the heap leaves unused between them. Measured as resident memory with half a million entries.
 */
export const ENTRY_OVERHEAD_BYTES = 400;

/** What a tag takes besides its text. */
const TAG_OVERHEAD_BYTES = 32;

/** What an entry takes of the budget while its value is not decoded. */
export function sizeOf(key: string, entry: Entry): number {
  let bytes = ENTRY_OVERHEAD_BYTES + utf8Length(key) + entry.payload.byteLength;
  for (const tag of entry.tags) bytes += TAG_OVERHEAD_BYTES + utf8Length(tag);
  return bytes;
}
