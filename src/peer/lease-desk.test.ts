import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../test/virtual-clock.js';
import { type Entry, NO_TAGS, tombstone } from '../core/entry.js';
import { encodeEntry } from '../core/entry-format.js';
import { type Floor, Floors } from '../core/floors.js';
import { HLC_ZERO, HybridClock } from '../core/hlc.js';
import { LeaseDesk } from './lease-desk.js';
import { LeaseTable } from './lease-table.js';
import { SlabPeerStore } from './slab-store.js';

let clock: VirtualClock;
let hlc: HybridClock;
let floors: Floors;
let desk: LeaseDesk;
let told: string[];

beforeEach(() => {
  clock = new VirtualClock();
  hlc = new HybridClock(clock);
  floors = new Floors();
  told = [];
  const store = new SlabPeerStore(clock, 1_048_576);
  const tell = (addresses: readonly string[], key: string) => {
    told.push(...addresses.map((address) => `${address} ${key}`));
  };
  desk = new LeaseDesk({ clock, hlc, floors, store, table: new LeaseTable(), tell });
});

function wish(token: string, since = hlc.early()) {
  return desk.answer({ verb: 'acquire', key: 'trip:1', token, since, from: `${token}:1` }).kind;
}

function value(tags = NO_TAGS): Entry {
  const reading = hlc.early();
  return {
    kind: 'value',
    payload: Uint8Array.of(1),
    version: { eventTimeMs: reading.ms, hlc: reading, origin: 1 },
    fillStart: reading,
    fence: HLC_ZERO,
    createdAtMs: clock.wallMs(),
    freshUntilMs: clock.wallMs() + 60_000,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    tags,
  };
}

function raise(scope: Floor['scope'], subject: string): void {
  floors.raise({ scope, subject, hlc: hlc.late() });
}

describe('the desk of an owner', () => {
  it.each([
    ['all', ''],
    ['pattern', 'trip:*'],
  ] as const)('grants anew what a floor over %s came upon, once, and tells who waited', async (scope, subject) => {
    // 1. a has the lease, b waits for it; c has read the levels already
    expect([wish('a'), wish('b')]).toEqual(['granted', 'busy']);
    const early = hlc.early();
    await clock.advanceSettled(10);
    // 2. what a loads may be outdated now
    raise(scope, subject);
    // 3. c gets a lease of its own, though it asks by a reading from before; b is told, and waits for c
    expect(wish('c', early)).toBe('granted');
    expect(told).toEqual(['b:1 trip:1']);
    expect(wish('b')).toBe('busy');
  });

  it('keeps leases through floors that do not concern them', async () => {
    wish('a');
    await clock.advanceSettled(10);
    raise('pattern', 'route:*');
    expect(wish('b')).toBe('busy');
  });

  it('takes nothing below a floor for filled', async () => {
    const since = hlc.early();
    await clock.advanceSettled(10);
    desk.store.write('trip:1', encodeEntry(value(['type:trip'])), 'fill');
    expect(wish('a', since)).toBe('filled');
    await clock.advanceSettled(10);
    raise('tag', 'type:trip');
    expect(wish('a', since)).toBe('granted');
  });

  it('ends a lease with a delete, and with nothing that is refused for being older than it', async () => {
    const old = value();
    await clock.advanceSettled(10);
    desk.store.write('trip:1', encodeEntry(tombstone(hlc.late(), old.version, clock.wallMs(), 60_000)), 'set');
    await clock.advanceSettled(10);
    expect([wish('a'), wish('b')]).toEqual(['granted', 'busy']);
    expect(desk.store.write('trip:1', encodeEntry(old), 'fill').kind).toBe('superseded');
    expect(desk.store.write('trip:1', encodeEntry(old), 'set').kind).toBe('superseded');
    expect(told).toEqual([]);
    desk.store.write('trip:1', encodeEntry(tombstone(hlc.late(), old.version, clock.wallMs(), 60_000)), 'set');
    expect(told).toEqual(['b:1 trip:1']);
    expect(wish('b')).toBe('granted');
  });
});
