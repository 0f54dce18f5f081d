import { type Entry, NO_TAGS } from '../../src/core/entry.js';
import type { Version } from '../../src/core/version.js';

export function versionAt(atMs: number): Version {
  return { eventTimeMs: atMs, hlc: { ms: atMs, counter: 0 }, origin: 1 };
}

/** A text that was set at `atMs`, and lives on for years. */
export function entry(text: string, atMs = 5): Entry {
  return {
    kind: 'value',
    payload: new TextEncoder().encode(text),
    version: versionAt(atMs),
    fillStart: { ms: atMs, counter: 0 },
    fence: { ms: 0, counter: 0 },
    createdAtMs: 1_700_000_000_000,
    freshUntilMs: 1_900_000_000_000,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    tags: NO_TAGS,
  };
}
