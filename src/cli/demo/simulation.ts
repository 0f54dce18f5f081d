import type { Chance } from '../../core/chance.js';
import { type DemoFleet, type DemoVehicle, moved } from '../../node/demo/demo-fleet.js';
import type { PositionReport } from '../../node/demo/protocol.js';
import { pickExponential, pickWeighted } from '../../node/demo/seeded-random.js';
import { activityShares, PING_INTERVAL_MS } from './fleet-day.js';

type Activity = keyof typeof PING_INTERVAL_MS;

interface Simulated {
  readonly vehicle: DemoVehicle;
  /** Its clock is wrong for good, and mostly it has no fix either. */
  readonly lies: boolean;
  activity: Activity;
  activityEndsMs: number;
  nextPingMs: number;
  lat: number;
  lon: number;
  headingDeg: number;
  speedKmh: number;
  /** When its position was last worked out. */
  movedMs: number;
  offlineUntilMs: number;
  /** Kept while offline, the oldest first. */
  readonly stored: PositionReport[];
}

/** How long a vehicle goes on with what it does. The same for each activity, so that shares of time are as drawn. */
const ACTIVITY_MEAN_MS = 10 * 60_000;
const ACTIVITY_MIN_MS = 30_000;
/** A cell may be without service 2 % of the time; outages of half a minute, then, come every 25 minutes. */
const OFFLINE_MEAN_MS = 30_000;
const OFFLINE_SHARE = 0.02;
/** A tracker keeps far more; so much is what the longest of these outages needs. */
const STORED_MAX = 120;
/** Of 1,654 buses 8 reported a time in the years 2068 and 2080, and 7 of those the place 0,0. */
const LIAR_SHARE = 8 / 1_654;
const GHOST_SHARE_OF_LIES = 7 / 8;
const FALSE_YEARS_MS = [Date.UTC(2068, 0, 1), Date.UTC(2080, 0, 6)];
const CRUISE_KMH = { min: 12, max: 58 };
/** Speed and heading follow what they were. */
const SPEED_JITTER_KMH = 8;
const TURN_MAX_DEG = 40;
/** Buckets of due times, as fine as the fastest reader could tell. */
const TICK_MS = 100;

/**
 * Positions of a fleet, as trackers send them: every 10 s moving, every minute idling, every 10 minutes asleep, and at
 * once when that changes. What a tracker stores while it is offline comes behind the first live position, newest first.
 */
export class Simulation {
  readonly #chance: Chance;
  /** Whom to look at in each tick. */
  readonly #due = new Map<number, Simulated[]>();
  readonly #vehicles: readonly Simulated[];
  #tick: number;

  constructor(fleet: DemoFleet, chance: Chance, nowMs: number) {
    this.#chance = chance;
    this.#tick = Math.floor(nowMs / TICK_MS);
    this.#vehicles = fleet.vehicles.map((vehicle) => this.#place(vehicle, nowMs));
  }

  /** Vehicles whose clock lies. */
  get liars(): readonly string[] {
    return this.#vehicles.filter(({ lies }) => lies).map(({ vehicle }) => vehicle.id);
  }

  /** How many do what at the moment. */
  activities(): Readonly<Record<Activity, number>> {
    const counts = { moving: 0, idling: 0, off: 0 };
    for (const { activity } of this.#vehicles) counts[activity] += 1;
    return counts;
  }

  /** Everything that arrives until `nowMs`, in the order of arrival. */
  advance(nowMs: number): PositionReport[] {
    const reports: PositionReport[] = [];
    const last = Math.floor(nowMs / TICK_MS);
    for (; this.#tick <= last; this.#tick++) {
      const due = this.#due.get(this.#tick);
      if (due === undefined) continue;
      this.#due.delete(this.#tick);
      for (const vehicle of due) this.#step(vehicle, this.#tick * TICK_MS, reports);
    }
    return reports;
  }

  #place(vehicle: DemoVehicle, nowMs: number): Simulated {
    const chance = this.#chance;
    const placed: Simulated = {
      vehicle,
      lies: chance.next() < LIAR_SHARE,
      activity: 'off',
      activityEndsMs: nowMs,
      nextPingMs: nowMs,
      lat: vehicle.lat,
      lon: vehicle.lon,
      headingDeg: chance.next() * 360,
      speedKmh: 0,
      movedMs: nowMs,
      offlineUntilMs: 0,
      stored: [],
    };
    this.#begin(placed, nowMs);
    // In the midst of an interval, each somewhere else.
    placed.nextPingMs = nowMs + chance.next() * PING_INTERVAL_MS[placed.activity];
    this.#schedule(placed);
    return placed;
  }

  #schedule(vehicle: Simulated): void {
    const dueMs = Math.min(vehicle.nextPingMs, vehicle.activityEndsMs);
    const tick = Math.max(this.#tick + 1, Math.ceil(dueMs / TICK_MS));
    const due = this.#due.get(tick);
    if (due === undefined) this.#due.set(tick, [vehicle]);
    else due.push(vehicle);
  }

  #step(vehicle: Simulated, nowMs: number, reports: PositionReport[]): void {
    this.#move(vehicle, nowMs);
    if (vehicle.activityEndsMs <= nowMs) this.#begin(vehicle, nowMs);
    vehicle.nextPingMs = nowMs + PING_INTERVAL_MS[vehicle.activity];
    this.#schedule(vehicle);
    const report = this.#report(vehicle, nowMs);
    if (vehicle.offlineUntilMs > nowMs) {
      vehicle.stored.push(report);
      if (vehicle.stored.length > STORED_MAX) vehicle.stored.shift();
      return;
    }
    reports.push(report);
    for (const stored of vehicle.stored.splice(0).reverse()) reports.push({ ...stored, history: true });
    const perPing = (OFFLINE_SHARE * PING_INTERVAL_MS[vehicle.activity]) / OFFLINE_MEAN_MS;
    if (vehicle.activity === 'moving' && this.#chance.next() < perPing) {
      vehicle.offlineUntilMs = nowMs + pickExponential(OFFLINE_MEAN_MS, this.#chance);
    }
  }

  #begin(vehicle: Simulated, nowMs: number): void {
    const chance = this.#chance;
    const shares = activityShares(nowMs);
    const activities = Object.keys(shares) as Activity[];
    const index = pickWeighted(
      activities.map((activity) => shares[activity]),
      chance,
    );
    vehicle.activity = activities[index] as Activity;
    vehicle.activityEndsMs = nowMs + ACTIVITY_MIN_MS + pickExponential(ACTIVITY_MEAN_MS - ACTIVITY_MIN_MS, chance);
    vehicle.speedKmh =
      vehicle.activity === 'moving' ? CRUISE_KMH.min + chance.next() * (CRUISE_KMH.max - CRUISE_KMH.min) : 0;
  }

  #move(vehicle: Simulated, nowMs: number): void {
    const hours = (nowMs - vehicle.movedMs) / 3_600_000;
    vehicle.movedMs = nowMs;
    if (vehicle.activity !== 'moving') return;
    const chance = this.#chance;
    const km = vehicle.speedKmh * hours;
    const angle = (vehicle.headingDeg * Math.PI) / 180;
    const { lat, lon } = moved(vehicle, km * Math.cos(angle), km * Math.sin(angle));
    vehicle.lat = lat;
    vehicle.lon = lon;
    const speedKmh = vehicle.speedKmh + (chance.next() * 2 - 1) * SPEED_JITTER_KMH;
    vehicle.speedKmh = Math.min(CRUISE_KMH.max, Math.max(CRUISE_KMH.min, speedKmh));
    vehicle.headingDeg = this.#turned(vehicle);
  }

  /** A little to either side; whoever has come to the edge of his city turns back to its middle. */
  #turned({ vehicle: { city }, lat, lon, headingDeg }: Simulated): number {
    const lonScale = Math.cos((lat * Math.PI) / 180);
    const north = (city.lat - lat) * 111.2;
    const east = (city.lon - lon) * 111.2 * lonScale;
    const turned =
      Math.hypot(north, east) > city.radiusKm
        ? (Math.atan2(east, north) * 180) / Math.PI
        : headingDeg + (this.#chance.next() * 2 - 1) * TURN_MAX_DEG;
    return ((turned % 360) + 360) % 360;
  }

  #report(vehicle: Simulated, nowMs: number): PositionReport {
    const report: PositionReport = {
      vehicleId: vehicle.vehicle.id,
      lat: vehicle.lat,
      lon: vehicle.lon,
      speedKmh: Math.round(vehicle.speedKmh * 10) / 10,
      headingDeg: Math.round(vehicle.headingDeg) % 360,
      engineOn: vehicle.activity !== 'off',
      at: nowMs,
    };
    return vehicle.lies ? this.#falsified(report) : report;
  }

  #falsified(report: PositionReport): PositionReport {
    const from = FALSE_YEARS_MS[this.#chance.next() < 0.5 ? 0 : 1] as number;
    const lie = { ...report, at: from + (report.at % 86_400_000) };
    return this.#chance.next() < GHOST_SHARE_OF_LIES ? { ...lie, lat: 0, lon: 0 } : lie;
  }
}
