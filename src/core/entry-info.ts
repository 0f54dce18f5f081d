import type { EntryInfo } from './cache.js';
import type { Entry } from './entry.js';
import type { LocalEntry } from './local.js';
import type { Level } from './outcome.js';
import { nodeIdOf } from './stats.js';
import { encodeVersion } from './version.js';

/** A value that was found, with its entry. */
export interface FoundValue {
  readonly entry: Entry;
  readonly level: Level;
  readonly stale: boolean;
  readonly value: unknown;
}

/** @param use what this process knows of its own copy, if it has one */
export function entryInfo(found: FoundValue, wallMs: number, use: LocalEntry | undefined): EntryInfo {
  const { entry, level, stale, value } = found;
  return {
    value,
    level,
    ageMs: Math.max(0, wallMs - entry.createdAtMs),
    boundMs: boundMs(found, wallMs, use),
    stale,
    ttlMs: Math.max(0, entry.freshUntilMs - wallMs),
    version: encodeVersion(entry.version),
    tags: entry.tags,
    createdAt: new Date(entry.createdAtMs),
    lastAccessed: new Date(use?.lastAccessedMs ?? wallMs),
    accessCount: use?.accessCount ?? 1,
    nodeId: nodeIdOf(entry.version.origin),
  };
}

/**
 * How old the knowledge is that this was the newest: nothing for a level that was asked just now, the time since the
 * copy was taken for one that was not. Of a stale answer nobody knows more than when it was made: Redis marks so what
 * it may have outlived (see docs/feed.md), and what only ran out of time is said to be no better.
 */
function boundMs({ level, stale, entry }: FoundValue, wallMs: number, use: LocalEntry | undefined): number {
  if (level === 'source' || (level === 'distributed' && !stale)) return 0;
  const sinceMs = level === 'local' ? (use?.heldSinceMs ?? entry.createdAtMs) : entry.createdAtMs;
  return Math.max(0, wallMs - sinceMs);
}
