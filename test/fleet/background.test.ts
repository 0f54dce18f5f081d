import { describe, expect, it } from 'vitest';
import type { LoadCall } from '../../src/core/cache.js';
import { createFleet } from '../../src/fleet/fleet.js';
import type { WarmUpProgress } from '../../src/fleet/warm-up.js';
import { CALL, type FleetInMemory, openFleet, report, runThrough, vehicle } from './fleet-in-memory.js';

async function openVehicles(count: number): Promise<FleetInMemory> {
  const opened = openFleet();
  const { clock, repository } = opened;
  const ids = Array.from({ length: count }, (_, i) => String(i + 1));
  await repository.saveVehicles(
    ids.map((id) => vehicle(id)),
    CALL,
  );
  await repository.saveStatuses(
    ids.map((id) => ({
      vehicleId: id,
      state: 'parked' as const,
      fuelPercent: 50,
      odometerKm: 1,
      updatedAt: new Date(clock.wallMs()),
    })),
    CALL,
  );
  return opened;
}

describe('warmUp', () => {
  it('brings every vehicle in service into the cache, 50 at a time, and says how far it is', async () => {
    const { clock, repository, fleet } = await openVehicles(120);
    await fleet.recordLocations(Array.from({ length: 120 }, (_, i) => report(clock, { vehicleId: i + 1 })));
    const progress: WarmUpProgress[] = [];
    const before = repository.queries;
    const result = await runThrough(clock, fleet.warmUp({ onProgress: (now) => progress.push(now) }));
    expect(result).toEqual({ vehicles: 120, failed: 0, loaded: 3 * 120 });
    expect(progress.map(({ loaded }) => loaded)).toEqual([150, 300, 360]);
    expect(fleet.stats()).toMatchObject({ warmUpDone: 120, warmUpTotal: 120, warmUpFailed: 0, warmedUp: 360 });
    expect(progress.map(({ done, total }) => [done, total])).toEqual([
      [50, 120],
      [100, 120],
      [120, 120],
    ]);
    // The ids, and status, details and trips of three batches: the positions were in the cache already.
    expect(repository.queries - before).toBe(1 + 3 * 3);
    const warmed = repository.queries;
    for (const id of [1, 60, 120]) {
      await Promise.all([fleet.vehicle(id), fleet.vehicleStatus(id), fleet.vehicleLocation(id), fleet.trips(id)]);
    }
    expect(repository.queries).toBe(warmed);
  });

  it('begins with what was asked for most, and goes on with the others in their order', async () => {
    const { clock, repository, fleet } = await openVehicles(120);
    for (let i = 0; i < 9; i++) await fleet.vehicleStatus(77);
    for (const id of [110, 20, 110]) await fleet.trips(id);
    await runThrough(clock, fleet.refresh.runOnce());
    await clock.advanceSettled(20 * 60_000);
    const batches: (readonly string[])[] = [];
    const read = repository.vehicles.bind(repository);
    repository.vehicles = (ids, call) => {
      batches.push(ids);
      return read(ids, call);
    };
    await runThrough(clock, fleet.warmUp());
    expect(batches.map((ids) => ids.length)).toEqual([50, 50, 20]);
    expect(batches[0]?.slice(0, 5)).toEqual(['77', '110', '20', '1', '2']);
  });

  it('goes on from what a fleet before it knew to be asked for', async () => {
    const { clock, cache, repository, fleet } = await openVehicles(60);
    for (let i = 0; i < 9; i++) await fleet.vehicleStatus(33);
    await runThrough(clock, fleet.refresh.runOnce());
    await fleet.close();
    const next = createFleet({ cache, repository, clock });
    await next.vehicleStatus(44);
    await runThrough(clock, next.refresh.runOnce());
    await clock.advanceSettled(20 * 60_000);
    const batches: (readonly string[])[] = [];
    const read = repository.vehicles.bind(repository);
    repository.vehicles = (ids, call) => {
      batches.push(ids);
      return read(ids, call);
    };
    await runThrough(clock, next.warmUp());
    expect(batches[0]?.slice(0, 3)).toEqual(['33', '44', '1']);
    // Somebody else's idea of a summary is no reason to fail, nor to go by it.
    await cache.deleteByPattern('vehicle:*');
    for (let slot = 0; slot < 16; slot++) await cache.set(`fleet:demand:${slot}`, { ids: ['60'], scores: ['many'] });
    await clock.advanceSettled(1_000);
    await runThrough(clock, next.warmUp());
    expect(batches[2]?.slice(0, 2)).toEqual(['1', '2']);
  });

  it('leaves a loaded database at least 100 ms between batches, and more the slower it is', async () => {
    const { clock, repository, fleet } = await openVehicles(200);
    const pauses: number[] = [];
    await runThrough(
      clock,
      fleet.warmUp({
        onProgress: ({ pauseMs }) => {
          pauses.push(pauseMs);
          repository.latencyMs = [45, 400, 10][pauses.length - 1] ?? 10;
        },
      }),
    );
    expect(pauses[0]).toBeLessThan(20);
    expect(pauses[1]).toBeGreaterThanOrEqual(100);
    expect(pauses[2]).toBeGreaterThanOrEqual(800);
    expect(pauses[3]).toBeLessThan(100);
  });

  it('gets over a batch that fails, and stops when the database keeps failing', async () => {
    const { clock, repository, fleet } = await openVehicles(500);
    const down = new Error('the database is down');
    let batches = 0;
    const result = await runThrough(
      clock,
      fleet.warmUp({
        onProgress: () => {
          batches += 1;
          repository.failure = batches === 1 ? down : undefined;
        },
      }),
    );
    expect(result).toMatchObject({ vehicles: 500, failed: 50 });
    expect(fleet.stats()).toMatchObject({ warmUpDone: 500, warmUpTotal: 500, warmUpFailed: 50 });

    const second = await openVehicles(500);
    const rejected = second.fleet.warmUp({
      onProgress: () => {
        second.repository.failure = down;
      },
    });
    await expect(runThrough(second.clock, rejected)).rejects.toMatchObject({
      code: 'load-failed',
      message: expect.stringContaining('300 of 500'),
    });
  });

  it('ends when it is told to, or when the fleet is closed', async () => {
    const { clock, fleet } = await openVehicles(500);
    const stop = new AbortController();
    const warming = fleet.warmUp({ signal: stop.signal, onProgress: () => stop.abort() });
    await expect(runThrough(clock, warming)).rejects.toMatchObject({ code: 'aborted' });
    const closing = fleet.warmUp({ onProgress: () => void fleet.close() });
    await expect(runThrough(clock, closing)).rejects.toMatchObject({ code: 'aborted' });
    expect(clock.pending).toBe(0);
  });
});

describe('refresh', () => {
  it('loads anew what is about to expire and was asked for, so that nobody waits for it', async () => {
    const { clock, repository, fleet } = await openVehicles(3);
    await fleet.vehicleStatus(1);
    await fleet.vehicle(2);
    fleet.refresh.start();
    for (let minute = 1; minute <= 60; minute++) {
      await clock.advanceSettled(60_000);
      const before = repository.queries;
      expect((await fleet.vehicleStatus(1))?.vehicleId).toBe('1');
      expect((await fleet.vehicle(2))?.id).toBe('2');
      expect(repository.queries, `minute ${minute}`).toBe(before);
    }
    fleet.refresh.stop();
    const { refreshed, refreshErrors } = fleet.stats();
    // Status lives 10 min and details 5: about every 5 min and every 3 min.
    expect(refreshed).toBeGreaterThan(60 / 6 + 60 / 4);
    expect(refreshed).toBeLessThan(60 / 4 + 60 / 2);
    expect(refreshErrors).toBe(0);
  });

  it('spreads its loads over a third of the round, what lives shortest first', async () => {
    const { clock, repository, fleet } = await openVehicles(500);
    const ids = Array.from({ length: 500 }, (_, i) => i + 1);
    await Promise.all(ids.flatMap((id) => [fleet.vehicleStatus(id), fleet.trips(id)]));
    await clock.advanceSettled(4 * 60_000);
    await Promise.all(ids.map((id) => fleet.trips(id)));
    const startMs = clock.monotonicMs();
    const loads: { kind: string; atMs: number }[] = [];
    for (const kind of ['trips', 'statuses'] as const) {
      const read: (ids: readonly string[], call: LoadCall) => Promise<never> = repository[kind].bind(
        repository,
      ) as never;
      repository[kind] = (ids: readonly string[], call: LoadCall) => {
        loads.push({ kind, atMs: clock.monotonicMs() - startMs });
        return read(ids, call);
      };
    }
    await clock.advanceSettled(60_000);
    await runThrough(clock, fleet.refresh.runOnce());
    const kinds = loads.map(({ kind }) => kind);
    expect(kinds).toEqual([...kinds].sort().reverse());
    const gapsMs = loads.slice(1).map(({ atMs }, i) => atMs - (loads[i] as { atMs: number }).atMs);
    expect(Math.max(...gapsMs)).toBeLessThan(3 * Math.min(...gapsMs));
    const wholeMs = (loads.at(-1)?.atMs ?? 0) - (loads[0]?.atMs ?? 0);
    expect(wholeMs).toBeGreaterThan(15_000);
    expect(wholeMs).toBeLessThanOrEqual(20_000);
  });

  it('lets go of what nobody asks for any more', async () => {
    const { clock, repository, fleet } = await openVehicles(3);
    await fleet.vehicleStatus(1);
    fleet.refresh.start();
    await clock.advanceSettled(60 * 60_000);
    const before = repository.queries;
    await clock.advanceSettled(60 * 60_000);
    expect(repository.queries).toBe(before);
    expect(fleet.stats().refreshed).toBeLessThanOrEqual(1);
  });

  it('leaves moving vehicles to their own reports', async () => {
    const { clock, repository, fleet } = await openVehicles(1);
    await fleet.recordLocation(report(clock, { vehicleId: 1 }));
    await fleet.vehicleLocation(1);
    const before = repository.queries;
    expect(await runThrough(clock, fleet.refresh.runOnce())).toBe(0);
    expect(repository.queries).toBe(before);
  });

  it('takes what was changed behind its back', async () => {
    const { clock, repository, fleet } = await openVehicles(1);
    expect((await fleet.vehicleStatus(1))?.fuelPercent).toBe(50);
    await clock.advanceSettled(6 * 60_000);
    await repository.saveStatuses(
      [{ vehicleId: '1', state: 'moving', fuelPercent: 49, odometerKm: 2, updatedAt: new Date(clock.wallMs()) }],
      CALL,
    );
    expect(await runThrough(clock, fleet.refresh.runOnce())).toBe(1);
    expect((await fleet.vehicleStatus(1))?.fuelPercent).toBe(49);
  });

  it('keeps what there is when the database fails, counts it, and tries again a minute later', async () => {
    const { clock, repository, fleet } = await openVehicles(1);
    await fleet.vehicleStatus(1);
    await clock.advanceSettled(6 * 60_000);
    repository.failure = new Error('the database is down');
    await expect(runThrough(clock, fleet.refresh.runOnce())).rejects.toMatchObject({ code: 'load-failed' });
    expect((await fleet.vehicleStatus(1))?.fuelPercent).toBe(50);
    expect(fleet.stats().refreshErrors).toBe(1);
    repository.failure = undefined;
    await clock.advanceSettled(2_000);
    expect(await runThrough(clock, fleet.refresh.runOnce())).toBe(1);
  });

  it('is one round at a time, and stops at once', async () => {
    const { clock, repository, fleet } = await openVehicles(1);
    await fleet.vehicleStatus(1);
    await clock.advanceSettled(6 * 60_000);
    repository.latencyMs = 1_000;
    const rounds = [fleet.refresh.runOnce(), fleet.refresh.runOnce()];
    expect(await runThrough(clock, Promise.all(rounds))).toEqual([1, 1]);
    expect(fleet.stats().refreshed).toBe(1);
    fleet.refresh.start();
    fleet.refresh.start();
    fleet.refresh.stop();
    expect(clock.pending).toBe(0);
  });
});

describe('the mornings', () => {
  /** 15 November 2023, 03:43 IST. */
  const until = (clock: { wallMs(): number }, ist: string) => Date.parse(`2023-11-${ist}+05:30`) - clock.wallMs();

  it('warm up ten minutes before the night is over, and again the next day', async () => {
    const { clock, repository, fleet } = await openVehicles(60);
    fleet.mornings.start();
    fleet.mornings.start();
    await clock.advanceSettled(until(clock, '15T05:19:59'));
    expect(repository.queries).toBe(2);
    await clock.advanceSettled(60_000);
    expect(fleet.stats()).toMatchObject({ morningWarmUps: 1, warmUpDone: 60 });
    await clock.advanceSettled(until(clock, '16T05:19:00'));
    const before = repository.queries;
    expect(fleet.stats().morningWarmUps).toBe(1);
    await clock.advanceSettled(2 * 60_000);
    expect(fleet.stats().morningWarmUps).toBe(2);
    expect(repository.queries).toBeGreaterThan(before);
    fleet.mornings.stop();
    expect(clock.pending).toBe(0);
  });

  it('notice a clock that is set, and end with the fleet', async () => {
    const { clock, fleet } = await openVehicles(60);
    fleet.mornings.start();
    clock.jumpWall(-30 * 60_000);
    await clock.advanceSettled(until(clock, '15T05:19:00'));
    expect(fleet.stats().morningWarmUps).toBe(0);
    await clock.advanceSettled(2 * 60_000);
    expect(fleet.stats().morningWarmUps).toBe(1);
    await fleet.close();
    expect(clock.pending).toBe(0);
  });

  it('leave the database alone when it fails, until the next day', async () => {
    const { clock, repository, fleet } = await openVehicles(600);
    fleet.mornings.start();
    await clock.advanceSettled(until(clock, '15T05:19:59'));
    repository.failure = new Error('the database is down');
    await clock.advanceSettled(15 * 60_000);
    expect(fleet.stats()).toMatchObject({ morningWarmUps: 0, warmUpFailed: 250, warmUpDone: 250 });
    repository.failure = undefined;
    await clock.advanceSettled(until(clock, '16T05:21:30'));
    expect(fleet.stats().morningWarmUps).toBe(1);
    await fleet.close();
  });
});
