import { type Entry, NO_PAYLOAD, tombstone } from '../../src/core/entry.js';
import type { Hlc } from '../../src/core/hlc.js';
import type { Version } from '../../src/core/version.js';

/** The wall time that a virtual clock starts at. */
export const NOW_MS = 1_700_000_000_000;

export function hlc(ms: number, counter = 0): Hlc {
  return { ms, counter };
}

export function version(ms: number, origin = 1): Version {
  return { eventTimeMs: ms, hlc: hlc(ms), origin };
}

/** A value, fresh for a minute from `NOW_MS`, all of whose instants are `at`; what a test is about it says itself. */
export function valueEntry(at: number, change: Partial<Entry> = {}): Entry {
  return {
    kind: 'value',
    payload: new TextEncoder().encode(JSON.stringify(`value ${at}`)),
    version: version(at),
    fillStart: hlc(at),
    fence: hlc(0),
    createdAtMs: NOW_MS,
    freshUntilMs: NOW_MS + 60_000,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    tags: [],
    ...change,
  };
}

export function absentEntry(at: number, change: Partial<Entry> = {}): Entry {
  return valueEntry(at, { kind: 'absent', payload: NO_PAYLOAD, ...change });
}

export function deletion(fenceAt: number, knownAt = 0): Entry {
  return tombstone(hlc(fenceAt), knownAt === 0 ? { ...version(0), origin: 0 } : version(knownAt), NOW_MS, 86_400_000);
}
