import { describe, expect, it } from 'vitest';
import type { RouteEstimate } from '../../src/fleet/ports.js';
import { openFleet, report } from './fleet-in-memory.js';

const PUNE = { lat: 18.5204, lon: 73.8567 };

function openRoutes() {
  const asked: {
    signal: AbortSignal;
    answer: (estimate: RouteEstimate | undefined) => void;
    fail: (e: Error) => void;
  }[] = [];
  const opened = openFleet({
    computeRoute: (_request, { signal }) =>
      new Promise((answer, fail) => {
        asked.push({ signal, answer, fail });
      }),
  });
  return { ...opened, asked };
}

describe('routeEta', () => {
  it('shares one question among those who ask at once, and keeps the answer nowhere', async () => {
    const { clock, cache, fleet, asked } = openRoutes();
    await fleet.recordLocation(report(clock));
    const etas = [fleet.routeEta(42, PUNE), fleet.routeEta('42', PUNE), fleet.routeEta(42n, { ...PUNE })];
    await clock.advanceSettled(1);
    expect(asked).toHaveLength(1);
    asked[0]?.answer({ distanceMeters: 148_000, durationSeconds: 10_800 });
    for (const eta of await Promise.all(etas)) {
      expect(eta).toMatchObject({ vehicleId: '42', distanceMeters: 148_000, durationSeconds: 10_800 });
      expect(eta?.arrivesAt.getTime()).toBe(clock.wallMs() + 10_800_000);
    }
    expect(await cache.has('route:eta:42')).toBe(false);
    void fleet.routeEta(42, PUNE);
    await clock.advanceSettled(1);
    expect(asked).toHaveLength(2);
    asked[1]?.answer(undefined);
    expect(fleet.stats()).toMatchObject({ routesAsked: 2, routesShared: 2 });
  });

  it('does not ask about a vehicle whose position nobody knows', async () => {
    const { fleet, asked } = openRoutes();
    expect(await fleet.routeEta(7, PUNE)).toBeUndefined();
    expect(asked).toHaveLength(0);
  });

  it('ends for an impatient caller, and goes on for the others', async () => {
    const { clock, fleet, asked } = openRoutes();
    await fleet.recordLocation(report(clock));
    const impatient = expect(fleet.routeEta(42, PUNE, { deadline: 100 })).rejects.toMatchObject({ code: 'deadline' });
    const patient = fleet.routeEta(42, PUNE);
    await clock.advanceSettled(150);
    await impatient;
    asked[0]?.answer({ distanceMeters: 1, durationSeconds: 1 });
    expect(await patient).toMatchObject({ distanceMeters: 1 });
  });

  it('gives up on an API that never answers, and tells it so', async () => {
    const { clock, fleet, asked } = openRoutes();
    await fleet.recordLocation(report(clock));
    const hanging = expect(fleet.routeEta(42, PUNE)).rejects.toMatchObject({
      code: 'deadline',
      message: expect.stringContaining('routes API'),
    });
    await clock.advanceSettled(11_000);
    await hanging;
    expect(asked[0]?.signal.aborted).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it('rejects with what went wrong, and asks again the next time', async () => {
    const { clock, fleet, asked } = openRoutes();
    await fleet.recordLocation(report(clock));
    const cause = new Error('over quota');
    const refused = expect(fleet.routeEta(42, PUNE)).rejects.toMatchObject({ code: 'load-failed', cause });
    await clock.advanceSettled(1);
    asked[0]?.fail(cause);
    await refused;
    const second = fleet.routeEta(42, PUNE);
    await clock.advanceSettled(1);
    asked[1]?.answer(undefined);
    expect(await second).toBeUndefined();
  });

  it('names what is wrong: no API, a bad destination', async () => {
    const { clock, fleet } = openFleet();
    await fleet.recordLocation(report(clock));
    await expect(fleet.routeEta(42, PUNE)).rejects.toMatchObject({ code: 'invalid-options', field: 'routes' });
    await expect(fleet.routeEta(42, { lat: 99, lon: 0 })).rejects.toMatchObject({ field: 'destination' });
  });
});
