import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LocationUpdate } from '../../src/fleet/domain.js';
import { openFleet, report } from './fleet-in-memory.js';

describe('recordLocation', () => {
  it('has the position in the database and in the cache, for as long as the vehicle is likely to stay there', async () => {
    const { clock, cache, repository, fleet } = openFleet();
    for (const [changes, ttlMs] of [
      [{ speedKmh: 38 }, 30_000],
      [{ speedKmh: 3 }, 300_000],
      [{ speedKmh: 0, engineOn: false }, 1_800_000],
    ] as const) {
      await clock.advanceSettled(10_000);
      const recorded = await fleet.recordLocation(report(clock, changes));
      expect(recorded).toMatchObject({ outcome: 'newest', clamped: false, write: { local: 'stored' } });
      const entry = await cache.getEntry('vehicle:location:42');
      expect(entry?.ttlMs).toBe(ttlMs);
      expect(entry?.tags).toEqual(['type:location', 'vehicle:42', 'region:19.07,72.87']);
      expect(entry?.value).toEqual(recorded.outcome === 'newest' ? recorded.location : undefined);
    }
    expect(await repository.history('42')).toHaveLength(3);
    const before = repository.queries;
    await fleet.vehicleLocation(42);
    expect(repository.queries).toBe(before);
    expect(clock.pending).toBe(0);
  });

  it('rejects a report that is out of range, and keeps it nowhere', async () => {
    const { clock, cache, repository, fleet } = openFleet();
    await expect(fleet.recordLocation(report(clock, { lat: 91 }))).rejects.toMatchObject({
      code: 'invalid-value',
      field: 'lat',
    });
    expect(repository.queries).toBe(0);
    expect(await cache.has('vehicle:location:42')).toBe(false);
    expect(fleet.stats().rejected).toBe(1);
  });

  it('keeps a ghost out of the database and the cache, and counts it', async () => {
    const { clock, repository, fleet } = openFleet();
    await fleet.recordLocation(report(clock, { at: clock.wallMs() - 10_000 }));
    expect(await fleet.recordLocation(report(clock, { lat: 0, lon: 0 }))).toMatchObject({ outcome: 'ghost' });
    expect((await fleet.vehicleLocation(42))?.lat).toBe(19.0765);
    expect(await repository.history('42')).toHaveLength(1);
    expect(fleet.stats().ghosts).toBe(1);
  });

  it('keeps a jump out of the database and the cache, and counts it; a second one is where the vehicle is', async () => {
    const { clock, repository, fleet } = openFleet();
    const delhi = { lat: 28.6139, lon: 77.209 };
    const send = async (changes: Partial<LocationUpdate>) => {
      await clock.advanceSettled(1_000);
      return (await fleet.recordLocation(report(clock, changes))).outcome;
    };
    expect(await send({})).toBe('newest');
    expect(await send(delhi)).toBe('jump');
    expect((await fleet.vehicleLocation(42))?.lat).toBe(19.0765);
    expect(await send({})).toBe('newest');
    expect(await send(delhi)).toBe('jump');
    expect(await send(delhi)).toBe('newest');
    expect((await fleet.vehicleLocation(42))?.lat).toBe(28.6139);
    expect(await repository.history('42')).toHaveLength(3);
    expect(fleet.stats()).toMatchObject({ newest: 3, jumps: 2, ghosts: 0 });
  });

  it('has no false clock pin a vehicle and no ghost on the map, as in the snapshot of a city', async () => {
    const { clock, cache, repository, fleet } = openFleet();
    const at = clock.wallMs();
    const honest = Array.from({ length: 200 }, (_, id) =>
      report(clock, { vehicleId: id, lat: 28.5 + id / 1_000, lon: 77.2, at: at - id * 1_300 }),
    );
    const ghosts = Array.from({ length: 7 }, (_, i) =>
      report(clock, { vehicleId: 1_000 + i, lat: 0, lon: 0, at: Date.UTC(2080, 0, 6, 0, i) }),
    );
    const falseClock = report(clock, { vehicleId: 2_000, lat: 28.68, lon: 77.05, at: Date.UTC(2068, 6, 21) });
    await fleet.recordLocations([...ghosts, falseClock, ...honest]);
    expect(fleet.stats()).toMatchObject({ newest: 201, ghosts: 7, clamped: 8 });
    for (const { vehicleId } of ghosts) {
      expect(await cache.has(`vehicle:location:${vehicleId}`)).toBe(false);
      expect(await repository.history(String(vehicleId))).toEqual([]);
    }
    expect(await fleet.nearbyVehicles({ lat: 0, lon: 0, radiusKm: 50 })).toEqual([]);
    // Each of them moves on when its clock is right again.
    await clock.advanceSettled(10_000);
    for (const vehicleId of [2_000, ...ghosts.map((ghost) => ghost.vehicleId)]) {
      const moved = report(clock, { vehicleId, lat: 28.681, lon: 77.051 });
      expect((await fleet.recordLocation(moved)).outcome).toBe('newest');
      expect((await fleet.vehicleLocation(vehicleId))?.at).toEqual(new Date(at + 10_000));
    }
  });
});

describe('recordLocations', () => {
  it('says of each what became of it, and loses none because of another', async () => {
    const { clock, repository, fleet } = openFleet();
    const now = clock.wallMs();
    const recorded = await fleet.recordLocations([
      report(clock, { at: now - 5_000 }),
      report(clock, { at: now - 60_000, history: true, speedKmh: 10 }),
      report(clock, { vehicleId: 'MH12AB1234' }),
      report(clock, { vehicleId: 43, lat: 0, lon: 0 }),
      report(clock, { at: now - 5_000 }),
      report(clock, { vehicleId: 44, speedKmh: Number.NaN }),
      report(clock, { vehicleId: 45, at: Date.UTC(2080, 0, 6) }),
    ]);
    expect(recorded.map((one) => [one.outcome, one.clamped])).toEqual([
      ['newest', false],
      ['history', false],
      ['rejected', false],
      ['ghost', false],
      ['duplicate', false],
      ['rejected', false],
      ['newest', true],
    ]);
    expect(recorded[2]).toMatchObject({ error: { field: 'vehicleId' } });
    expect(recorded[5]).toMatchObject({ error: { field: 'speedKmh' } });
    expect(await repository.history('42')).toHaveLength(2);
    expect(fleet.stats()).toMatchObject({
      newest: 2,
      history: 1,
      duplicates: 1,
      ghosts: 1,
      rejected: 2,
      clamped: 1,
    });
  });

  it('saves 500 at a time, the live ones first and apart from history', async () => {
    const { clock, repository, fleet } = openFleet();
    const now = clock.wallMs();
    const history = Array.from({ length: 1_200 }, (_, i) =>
      report(clock, { at: now - 1_000 * (i + 60), history: true }),
    );
    const recorded = await fleet.recordLocations([...history, report(clock, { at: now })]);
    expect(repository.saves.map((save) => save.length)).toEqual([1, 500, 500, 200]);
    expect(repository.saves[0]?.[0]?.at).toEqual(new Date(now));
    expect(recorded.at(-1)?.outcome).toBe('newest');
    expect(recorded.filter(({ outcome }) => outcome === 'newest')).toHaveLength(1);
    expect(await repository.history('42')).toHaveLength(1_201);
  });

  it('says that a position of an earlier transaction is history when a later one of the same call is newer', async () => {
    const { clock, fleet } = openFleet();
    const now = clock.wallMs();
    const updates = Array.from({ length: 600 }, (_, i) => report(clock, { at: now - 600_000 + i * 1_000 }));
    const recorded = await fleet.recordLocations(updates);
    expect(recorded.map(({ outcome }) => outcome).lastIndexOf('newest')).toBe(599);
    expect(recorded.filter(({ outcome }) => outcome === 'newest')).toHaveLength(1);
    expect(fleet.stats()).toMatchObject({ newest: 1, history: 599 });
  });

  it('recognises what is sent again, and repairs what the first sender left undone', async () => {
    const { clock, cache, fleet } = openFleet();
    await fleet.recordLocation(report(clock));
    await cache.delete('vehicle:location:42');
    expect(await fleet.recordLocation(report(clock))).toMatchObject({ outcome: 'duplicate' });
    expect(await cache.has('vehicle:location:42')).toBe(true);
  });

  it('rejects and leaves the cache as it was when the database fails; the same call succeeds later', async () => {
    const { clock, cache, repository, fleet } = openFleet();
    await fleet.recordLocation(report(clock, { at: clock.wallMs() - 10_000, speedKmh: 10 }));
    const heard: number[] = [];
    fleet.subscribe({}, ({ speedKmh }) => heard.push(speedKmh));
    repository.failure = new Error('the database is down');
    const update = report(clock);
    await expect(fleet.recordLocations([update])).rejects.toMatchObject({
      code: 'level-failed',
      message: expect.stringMatching(/0 of 1.*the database is down.*again/),
      cause: repository.failure,
    });
    expect(await cache.get('vehicle:location:42')).toMatchObject({ speedKmh: 10 });
    repository.failure = undefined;
    expect((await fleet.recordLocations([update]))[0]?.outcome).toBe('newest');
    await clock.advanceSettled(0);
    expect(heard).toEqual([38]);
  });

  it('ends at the deadline, yet brings to the cache what the database took after all', async () => {
    const { clock, cache, repository, fleet } = openFleet();
    let release = () => {};
    repository.hold = new Promise((resolve) => {
      release = resolve;
    });
    const refused = expect(fleet.recordLocation(report(clock), { deadline: 200 })).rejects.toMatchObject({
      code: 'deadline',
    });
    await clock.advanceSettled(250);
    await refused;
    expect(await cache.has('vehicle:location:42')).toBe(false);
    release();
    await clock.advanceSettled(0);
    expect(await cache.get('vehicle:location:42')).toMatchObject({ speedKmh: 38 });
  });

  it('begins nothing for a caller who has given up', async () => {
    const { clock, repository, fleet } = openFleet();
    const signal = AbortSignal.abort();
    await expect(fleet.recordLocations([report(clock)], { signal })).rejects.toMatchObject({ code: 'aborted' });
    expect(repository.saves).toEqual([]);
  });
});

describe('the newest position (S28)', () => {
  it('stays the newest live one among live, history, false clocks and repeated times', async () => {
    const { clock, repository, fleet } = openFleet();
    const at2080 = Date.UTC(2080, 0, 6);
    const send = async (changes: Partial<LocationUpdate>) => {
      const [recorded] = await fleet.recordLocations([report(clock, changes)]);
      await clock.advanceSettled(1_000);
      return recorded?.outcome;
    };
    const start = clock.wallMs();
    expect(await send({ at: start - 20_000, speedKmh: 1 })).toBe('newest');
    expect(await send({ at: start - 500_000, speedKmh: 2, history: true })).toBe('history');
    expect(await send({ at: start - 10_000, speedKmh: 3 })).toBe('newest');
    expect(await send({ at: at2080, speedKmh: 4 })).toBe('history');
    expect(await send({ at: start - 15_000, speedKmh: 5, history: true })).toBe('history');
    expect(await send({ at: start - 10_000, speedKmh: 2.5 })).toBe('history');
    expect(await send({ at: at2080, speedKmh: 7, history: true })).toBe('history');
    expect((await fleet.vehicleLocation(42))?.speedKmh).toBe(3);
    expect(await send({ at: start, speedKmh: 8 })).toBe('newest');
    expect((await fleet.vehicleLocation(42))?.speedKmh).toBe(8);
    await fleet.invalidateVehicle(42);
    expect((await fleet.vehicleLocation(42))?.speedKmh).toBe(8);
    expect(await repository.history('42')).toHaveLength(8);
    expect(fleet.stats()).toMatchObject({ newest: 3, history: 5, clamped: 2 });
  });

  it('follows a vehicle whose clock is wrong for good', async () => {
    const { clock, fleet } = openFleet();
    await fleet.recordLocation(report(clock, { speedKmh: 10 }));
    for (let minute = 1; minute <= 10; minute++) {
      await clock.advanceSettled(60_000);
      await fleet.recordLocation(report(clock, { at: Date.UTC(2080, 0, 6, 0, minute), speedKmh: 10 + minute }));
    }
    expect((await fleet.vehicleLocation(42))?.speedKmh).toBe(20);
  });

  it('is the same whatever the order and the batches in which the reports come, in cache and database', async () => {
    const sent = fc.record({
      vehicleId: fc.integer({ min: 1, max: 3 }),
      secondsAgo: fc.integer({ min: 0, max: 200 }),
      cell: fc.integer({ min: 0, max: 5 }),
      speedKmh: fc.integer({ min: 0, max: 80 }),
      kind: fc.constantFrom('live', 'history', 'false clock', 'ghost', 'bad' as const),
    });
    const sequence = fc
      .uniqueArray(sent, { selector: ({ vehicleId, secondsAgo }) => `${vehicleId} ${secondsAgo}`, maxLength: 40 })
      .chain((reports) =>
        fc.record({
          reports: fc.shuffledSubarray(reports, { minLength: reports.length }),
          cuts: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 40, maxLength: 40 }),
          pauses: fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 40, maxLength: 40 }),
          atOnce: fc.boolean(),
        }),
      );
    await fc.assert(
      fc.asyncProperty(sequence, async ({ reports, cuts, pauses, atOnce }) => {
        const { clock, repository, fleet } = openFleet();
        const now = clock.wallMs();
        const honest = reports.filter(({ kind }) => kind === 'live' || kind === 'history');
        const newestOf = new Map<number, (typeof honest)[number]>();
        for (const one of honest) {
          const other = newestOf.get(one.vehicleId);
          if (other === undefined || one.secondsAgo < other.secondsAgo) newestOf.set(one.vehicleId, one);
        }
        const updates = reports.map(({ vehicleId, secondsAgo, cell, speedKmh, kind }): LocationUpdate => {
          const lat = kind === 'ghost' ? 0 : kind === 'bad' ? 91 : 19.005 + cell / 100;
          const lon = kind === 'ghost' ? 0 : 72.8777;
          const at = kind === 'false clock' ? now + 3_600_000 + secondsAgo : now - secondsAgo * 1_000;
          return { vehicleId, lat, lon, speedKmh, engineOn: true, at, history: kind === 'history' };
        });
        const calls: Promise<unknown>[] = [];
        for (let i = 0, from = 0; from < updates.length; i++) {
          const call = fleet.recordLocations(updates.slice(from, from + (cuts[i] ?? 1)));
          calls.push(call);
          if (!atOnce) {
            await call;
            await clock.advanceSettled(pauses[i] ?? 0);
          }
          from += cuts[i] ?? 1;
        }
        await Promise.all(calls);
        for (const [vehicleId, { secondsAgo, speedKmh, cell }] of newestOf) {
          const cached = await fleet.vehicleLocation(vehicleId);
          expect(cached).toMatchObject({ at: new Date(now - secondsAgo * 1_000), speedKmh, lat: 19.005 + cell / 100 });
          await fleet.invalidateVehicle(vehicleId);
          expect(await fleet.vehicleLocation(vehicleId)).toEqual(cached);
        }
        expect(fleet.stats().rejected).toBe(reports.filter(({ kind }) => kind === 'bad').length);
        expect(fleet.stats().ghosts).toBe(reports.filter(({ kind }) => kind === 'ghost').length);
        expect(repository.saves.flat().length).toBe(
          reports.filter(({ kind }) => kind !== 'bad' && kind !== 'ghost').length,
        );
      }),
      { numRuns: 150 },
    );
  });
});

describe('a significant move', () => {
  it('invalidates the routes of this vehicle and the two regions', async () => {
    const { clock, cache, fleet } = openFleet();
    await fleet.recordLocations([report(clock), report(clock, { vehicleId: 142 })]);
    await cache.set('route:eta:42', 1);
    await cache.set('route:polyline:42', 1);
    await cache.set('route:eta:142', 1);
    await cache.set('nearby:vehicles:19.07,72.87', ['x']);
    await cache.set('nearby:vehicles:19.08,72.87', ['x']);
    await cache.set('nearby:vehicles:19.09,72.87', ['x']);
    await clock.advanceSettled(10_000);
    await fleet.recordLocation(report(clock, { lat: 19.0801 }));
    expect(await cache.has('route:eta:42')).toBe(false);
    expect(await cache.has('route:polyline:42')).toBe(false);
    expect(await cache.has('route:eta:142')).toBe(true);
    expect(await cache.has('nearby:vehicles:19.07,72.87')).toBe(false);
    expect(await cache.has('nearby:vehicles:19.08,72.87')).toBe(false);
    expect(await cache.has('nearby:vehicles:19.09,72.87')).toBe(true);
    expect(fleet.stats().significantMoves).toBe(3);
  });

  it('of so many vehicles that a pattern for each would cost too much invalidates the routes of all', async () => {
    const { clock, cache, fleet } = openFleet();
    const floors: string[] = [];
    cache.on('invalidated', ({ subject }) => floors.push(subject));
    for (let i = 0; i < 10; i++) {
      await cache.set(`route:eta:${i * 50}`, 1);
      const updates = Array.from({ length: 50 }, (_, j) => report(clock, { vehicleId: i * 50 + j }));
      await fleet.recordLocations(updates);
      expect(await cache.has(`route:eta:${i * 50}`)).toBe(false);
      await clock.advanceSettled(1_000);
    }
    expect(new Set(floors).size).toBeLessThanOrEqual(65);
    expect(floors.filter((subject) => subject === 'route:*')).toHaveLength(9);
  });

  it('is not a parked vehicle, nor history', async () => {
    const { clock, cache, fleet } = openFleet();
    await fleet.recordLocation(report(clock));
    await cache.set('route:eta:42', 1);
    await cache.set('nearby:vehicles:19.07,72.87', ['42']);
    await clock.advanceSettled(10_000);
    await fleet.recordLocation(report(clock, { lat: 19.0767 }));
    await fleet.recordLocation(report(clock, { lat: 28.61, at: clock.wallMs() - 600_000, history: true }));
    expect(await cache.has('route:eta:42')).toBe(true);
    expect(await cache.has('nearby:vehicles:19.07,72.87')).toBe(true);
  });
});

describe('subscribe', () => {
  it('tells of newest positions only, in order, and cannot hurt the one who records', async () => {
    const { clock, fleet } = openFleet();
    const heard: number[] = [];
    const end = fleet.subscribe({ vehicles: [42n] }, ({ speedKmh }) => {
      heard.push(speedKmh);
      throw new Error('listener at fault');
    });
    const now = clock.wallMs();
    await fleet.recordLocation(report(clock, { at: now - 20_000, speedKmh: 1 }));
    await fleet.recordLocation(report(clock, { at: now - 90_000, speedKmh: 2, history: true }));
    await fleet.recordLocation(report(clock, { lat: 0, lon: 0, speedKmh: 3 }));
    await fleet.recordLocation(report(clock, { vehicleId: 43, speedKmh: 4 }));
    await fleet.recordLocation(report(clock, { at: now, speedKmh: 5 }));
    await clock.advanceSettled(0);
    end();
    await fleet.recordLocation(report(clock, { at: now + 1_000, speedKmh: 6 }));
    await clock.advanceSettled(0);
    expect(heard).toEqual([1, 5]);
    expect(fleet.stats()).toMatchObject({ delivered: 2, listenerErrors: 2, subscribers: 0 });
  });
});
