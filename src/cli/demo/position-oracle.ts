import type { FoundPosition, PositionReport } from '../../node/demo/protocol.js';

/** A vehicle that a node shows somewhere else than it was last. */
export interface Mismatch {
  readonly vehicleId: string;
  readonly expected: FoundPosition;
  readonly found: FoundPosition | undefined;
}

/** Later than this in the future, a clock lies. */
const AHEAD_MAX_MS = 5_000;
/** A receiver without a fix says 0,0, or a little beside it; there is only sea. */
const NO_FIX_DEG = 1;
const SPEED_MAX_KMH = 300;

/**
 * Knows, without any of the code that is tested, where each vehicle was last: at the newest valid time that was reported
 * for it. Of several reports of one time it is one, whichever: which one depends on how they were put into calls.
 */
export class PositionOracle {
  /** Of the newest time, in the order in which they were sent. */
  readonly #newest = new Map<string, [PositionReport, ...PositionReport[]]>();

  get vehicleIds(): readonly string[] {
    return [...this.#newest.keys()];
  }

  /** Takes in a report, in the order in which they are sent. */
  take(report: PositionReport, nowMs: number): void {
    if (!isValid(report, nowMs)) return;
    const known = this.#newest.get(report.vehicleId);
    if (known === undefined || report.at > known[0].at) this.#newest.set(report.vehicleId, [report]);
    else if (report.at === known[0].at && !known.some((other) => isSame(other, report))) known.push(report);
  }

  /** Nothing is known about this vehicle. */
  forget(vehicleId: string): void {
    this.#newest.delete(vehicleId);
  }

  /** Where a node's answer, to the question about all vehicles, is wrong. */
  compare(found: readonly FoundPosition[]): Mismatch[] {
    const byId = new Map(found.map((position) => [position.vehicleId, position]));
    return [...this.#newest.values()].flatMap((reports) => {
      const { vehicleId, at, lat, lon, speedKmh, engineOn } = reports[0];
      const expected = { vehicleId, at, lat, lon, speedKmh, engineOn };
      const position = byId.get(vehicleId);
      return reports.some((report) => isSame(report, position)) ? [] : [{ vehicleId, expected, found: position }];
    });
  }
}

/** Whether a report says anything about where its vehicle is. */
export function isValid({ lat, lon, speedKmh, at }: PositionReport, nowMs: number): boolean {
  const inRange = Math.abs(lat) <= 90 && Math.abs(lon) <= 180 && speedKmh >= 0 && speedKmh <= SPEED_MAX_KMH;
  const hasFix = Math.abs(lat) >= NO_FIX_DEG || Math.abs(lon) >= NO_FIX_DEG;
  return inRange && hasFix && !isAhead(at, nowMs);
}

export function isAhead(at: number, nowMs: number): boolean {
  return at > nowMs + AHEAD_MAX_MS;
}

function isSame(a: Omit<FoundPosition, 'vehicleId'>, b: FoundPosition | undefined): boolean {
  return a.at === b?.at && a.lat === b.lat && a.lon === b.lon && a.speedKmh === b.speedKmh && a.engineOn === b.engineOn;
}
