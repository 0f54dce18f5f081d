import { describe, expect, it } from 'vitest';
import { activityShares, PING_INTERVAL_MS } from '../../src/cli/demo/fleet-day.js';
import { isValid } from '../../src/cli/demo/position-oracle.js';
import { Simulation } from '../../src/cli/demo/simulation.js';
import { DEMO_CITIES, makeDemoFleet } from '../../src/node/demo/demo-fleet.js';
import type { PositionReport } from '../../src/node/demo/protocol.js';
import { seededChance } from '../../src/node/demo/seeded-random.js';

const VEHICLES = 10_000;
/** 15:00 in India. */
const AFTERNOON_MS = Date.UTC(2026, 5, 15, 9, 30);
/** 02:00 in India. */
const NIGHT_MS = Date.UTC(2026, 5, 14, 20, 30);
const SPAN_MS = 10 * 60_000;

function simulate(startMs: number, vehicles = VEHICLES, spanMs = SPAN_MS) {
  const fleet = makeDemoFleet({ vehicles, seed: 7 });
  const simulation = new Simulation(fleet, seededChance(7), startMs);
  const reports: PositionReport[] = [];
  // The caller's ticks do not matter: here one second at a time.
  for (let nowMs = startMs; nowMs <= startMs + spanMs; nowMs += 1_000) reports.push(...simulation.advance(nowMs));
  return { fleet, simulation, reports };
}

describe('the simulated fleet', () => {
  const { fleet, simulation, reports } = simulate(AFTERNOON_MS);

  it('lives in the seven cities by their shares of vehicles', () => {
    for (const city of DEMO_CITIES) {
      const share = fleet.vehicles.filter((vehicle) => vehicle.city === city).length / VEHICLES;
      expect(share).toBeCloseTo(city.share, 1);
    }
  });

  it('has one operator with six vehicles of ten', () => {
    expect((fleet.operators[0]?.length ?? 0) / VEHICLES).toBeCloseTo(0.6, 1);
    expect(fleet.operators.flat()).toHaveLength(VEHICLES);
  });

  it('moves as much in the afternoon and at night as real fleets do', () => {
    expect(activityShares(AFTERNOON_MS).moving).toBeCloseTo(0.44, 5);
    expect(activityShares(NIGHT_MS).moving).toBeCloseTo(0.08, 5);
    expect(simulation.activities().moving / VEHICLES).toBeCloseTo(0.44, 1);
    expect(simulate(NIGHT_MS).simulation.activities().moving / VEHICLES).toBeCloseTo(0.08, 1);
  });

  it('reports every 10 s moving, every minute idling, every 10 minutes asleep, and when that changes', () => {
    const shares = activityShares(AFTERNOON_MS);
    const expected =
      (VEHICLES * SPAN_MS * shares.moving) / PING_INTERVAL_MS.moving +
      (VEHICLES * SPAN_MS * shares.idling) / PING_INTERVAL_MS.idling +
      (VEHICLES * SPAN_MS * shares.off) / PING_INTERVAL_MS.off;
    expect(reports.length).toBeGreaterThan(expected * 0.9);
    expect(reports.length).toBeLessThan(expected * 1.2);
  });

  it('keeps its speed, its heading and its cities within bounds', () => {
    const cities = new Map(fleet.vehicles.map(({ id, city }) => [id, city]));
    const astray = reports.filter((report) => {
      const { speedKmh, headingDeg = -1, lat } = report;
      const city = cities.get(report.vehicleId)!;
      const isInside = Math.abs(lat - city.lat) * 111 < city.radiusKm + 3;
      return !(speedKmh >= 0 && speedKmh <= 60 && headingDeg >= 0 && headingDeg < 360 && isInside);
    });
    expect(astray.filter((report) => isValid(report, AFTERNOON_MS + SPAN_MS))).toEqual([]);
  });

  it('moves as far as its speed takes it', () => {
    const id = busiest(reports);
    const moving = reports.filter(({ vehicleId, history }) => vehicleId === id && history !== true);
    for (const [i, report] of moving.entries()) {
      const before = moving[i - 1];
      if (before === undefined) continue;
      const km = Math.hypot(
        (report.lat - before.lat) * 111.2,
        (report.lon - before.lon) * 111.2 * Math.cos((report.lat * Math.PI) / 180),
      );
      expect(km).toBeLessThanOrEqual((60 * (report.at - before.at)) / 3_600_000 + 0.001);
    }
    expect(moving.length).toBeGreaterThan(10);
  });

  it('sends what it stored during an outage behind a live position, newest first', () => {
    const stored = reports.flatMap((report, i) => (report.history === true ? [i] : []));
    expect(stored.length).toBeGreaterThan(100);
    const liars = new Set(simulation.liars);
    const misplaced = stored.filter((i) => {
      const [before, report] = [reports[i - 1]!, reports[i]!];
      return report.vehicleId !== before.vehicleId || (report.at >= before.at && !liars.has(report.vehicleId));
    });
    expect(misplaced).toEqual([]);
  });

  it('has a few vehicles whose clocks are decades ahead, most of them at 0,0', () => {
    const liars = new Set(simulation.liars);
    expect(liars.size / VEHICLES).toBeGreaterThan(0.002);
    expect(liars.size / VEHICLES).toBeLessThan(0.01);
    const lies = reports.filter(({ vehicleId }) => liars.has(vehicleId));
    expect(lies.every(({ at }) => at > Date.UTC(2067, 0, 1))).toBe(true);
    const ghosts = lies.filter(({ lat, lon }) => lat === 0 && lon === 0).length;
    expect(ghosts / lies.length).toBeCloseTo(7 / 8, 1);
  });

  it('is the same again from the same seed', () => {
    expect(simulate(AFTERNOON_MS, 200, 60_000).reports).toEqual(simulate(AFTERNOON_MS, 200, 60_000).reports);
  });
});

function busiest(reports: readonly PositionReport[]): string {
  const counts = new Map<string, number>();
  for (const { vehicleId, speedKmh, at } of reports) {
    if (speedKmh > 0 && at < Date.UTC(2067, 0, 1)) counts.set(vehicleId, (counts.get(vehicleId) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? '';
}
