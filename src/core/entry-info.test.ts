import { expect, it } from 'vitest';
import { NOW_MS, valueEntry } from '../../test/core/entries.js';
import { entryInfo } from './entry-info.js';
import type { Level } from './outcome.js';

const AGE_MS = 40;

function boundMs(level: Level, stale: boolean, heldSinceMs?: number): number {
  const entry = valueEntry(1, {});
  const use = heldSinceMs === undefined ? undefined : held(entry, heldSinceMs);
  return entryInfo({ entry, level, stale, value: 1 }, entry.createdAtMs + AGE_MS, use).boundMs;
}

function held(entry: ReturnType<typeof valueEntry>, heldSinceMs: number) {
  return { entry, value: 1, lastAccessedMs: NOW_MS, accessCount: 1, heldSinceMs, trusted: true, sizeBytes: 1 };
}

it('says that what a level was asked for just now was the newest', () => {
  expect(boundMs('distributed', false)).toBe(0);
  expect(boundMs('source', false)).toBe(0);
});

it('counts from the making of an answer that Redis does not vouch for', () => {
  expect(boundMs('distributed', true)).toBe(AGE_MS);
});

it('counts from when a copy was taken or confirmed', () => {
  const takenMs = valueEntry(1, {}).createdAtMs + 25;
  expect(boundMs('local', false, takenMs)).toBe(AGE_MS - 25);
});
