/**
 * Positions are acknowledged when they are in a journal on this node's disk; the database follows. For those who would
 * rather wait for a disk than for a database, and who accept what that means:
 *
 * - What was acknowledged is in the database later: at least once, in the order in which it was taken in, also after a
 *   crash of the process or the machine, if the disk comes back. A disk that is lost takes along what the database did
 *   not have yet.
 * - Until then this node answers from what it has taken in. Another one that finds nothing in any level reads the older
 *   position from the database.
 * - Whether a position is the newest, or a duplicate, is told from what this process knows. What the database decides
 *   otherwise (it had a newer one, or another of the same time) is told to `corrected`, for the cache to forget it.
 */
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LoadCall } from '../core/cache.js';
import { waitWithin } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import type {
  Box,
  FleetSource,
  IdPage,
  ReadChanged,
  ReportedLocation,
  SavedLocation,
  VehicleId,
  VehicleLocation,
} from './fleet-records.js';
import { Journal } from './journal.js';
import { callOf, checkWaiting } from './load-call.js';
import { isAboutData } from './refusal.js';
import { corrected, isWithin, UnsavedLocations } from './unsaved-locations.js';

/** Room for several files, each of 4 MiB. */
const BYTES_MIN = 16_777_216;
/** Records per statement; most have one position. */
const RECORDS = 200;
const SAVE_WITHIN_MS = 5_000;
/** Before what failed is tried again: doubled from time to time. */
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 5_000;
/** How long `close` waits for the database; what is left then is taken up at the next start. */
const CLOSE_WITHIN_MS = 2_000;

export interface WriteBehindOptions {
  /** Of this node alone, on a disk that outlives it. */
  readonly directory: string;
  /** Most bytes that the journal may take; at about 160 per position. */
  readonly bytesMax: number;
  /** These vehicles are elsewhere than was answered: the cache is to forget them. */
  readonly corrected: (ids: readonly VehicleId[]) => Promise<unknown>;
}

export interface WriteBehindParts extends WriteBehindOptions {
  readonly clock: Clock;
  /** The database itself: saves are made one after the other. */
  readonly source: FleetSource;
}

export interface WriteBehindStats {
  /** Bytes of the journal. */
  readonly sizeBytes: number;
  /** Positions that the database refuses for what they say; they lie in `refused.jsonl` beside the journal. */
  readonly refused: number;
  /** Why the database does not follow at the moment. */
  readonly failure: Error | undefined;
}

export class WriteBehind implements FleetSource {
  readonly vehicles: FleetSource['vehicles'];
  readonly statuses: FleetSource['statuses'];
  readonly trips: FleetSource['trips'];
  readonly fuelRecords: FleetSource['fuelRecords'];
  readonly maintenanceRecords: FleetSource['maintenanceRecords'];
  readonly ewayBills: FleetSource['ewayBills'];
  readonly #parts: WriteBehindParts;
  readonly #journal: Journal;
  readonly #unsaved = new UnsavedLocations();
  readonly #following: Promise<void>;
  #wake: () => void = noop;
  #refused = 0;
  #failure: Error | undefined;
  #closing = false;
  #givenUp = false;

  private constructor(parts: WriteBehindParts, journal: Journal) {
    const { source } = parts;
    this.#parts = parts;
    this.#journal = journal;
    this.vehicles = source.vehicles.bind(source);
    this.statuses = source.statuses.bind(source);
    this.trips = source.trips.bind(source);
    this.fuelRecords = source.fuelRecords.bind(source);
    this.maintenanceRecords = source.maintenanceRecords.bind(source);
    this.ewayBills = source.ewayBills.bind(source);
    this.#following = this.#follow();
  }

  /**
   * Takes up what an earlier process left.
   * @throws CacheError `invalid-options` for less than 16 MiB; as `Journal.open` does
   */
  static async open(parts: WriteBehindParts): Promise<WriteBehind> {
    const { bytesMax } = parts;
    if (!(bytesMax >= BYTES_MIN)) {
      throw new CacheError('invalid-options', `maxBytes is ${bytesMax}: give the journal at least ${BYTES_MIN}`, {
        field: 'maxBytes',
      });
    }
    return new WriteBehind(parts, await Journal.open(parts));
  }

  get stats(): WriteBehindStats {
    return { sizeBytes: this.#journal.sizeBytes, refused: this.#refused, failure: this.#failure };
  }

  /** @throws CacheError `overloaded` when the journal is full, `level-failed` when the disk fails, `closed` */
  async saveLocations(reports: readonly ReportedLocation[], call: LoadCall): Promise<SavedLocation[]> {
    const { clock } = this.#parts;
    const caller = callOf(clock, call);
    checkWaiting(clock, caller, 'the journal');
    if (this.#closing) throw new CacheError('closed', 'the journal is closed');
    if (reports.length === 0) return [];
    const written = this.#journal.append(Buffer.from(JSON.stringify(reports)));
    // Also for a caller who does not wait any more: what is in the journal will be in the database.
    const verdicts = written.then(() => {
      this.#wake();
      return reports.map(({ history, frame, ...location }) => this.#unsaved.add(location, history === true));
    });
    return waitWithin(clock, caller, 'the journal', verdicts);
  }

  readonly locations: ReadChanged<VehicleLocation> = async (ids, call, known) => {
    // Before and after: what the database gets while it is asked may be in neither its answer nor the list.
    const before = this.#unsaved.of(ids);
    const found = await this.#parts.source.locations(ids, call, known);
    return corrected(corrected(found, before), this.#unsaved.of(ids));
  };

  async locationsWithin(box: Box, limit: number, call: LoadCall): Promise<VehicleLocation[]> {
    const before = this.#unsaved.all();
    // Those that have left the box since take places in the answer of the database.
    const found = await this.#parts.source.locationsWithin(box, limit + before.length, call);
    const byId = new Map(found.map((location) => [location.vehicleId, location]));
    const all = corrected(corrected(byId, before), this.#unsaved.all());
    return [...all.values()]
      .filter((location) => isWithin(box, location))
      .sort((a, b) => (BigInt(a.vehicleId) < BigInt(b.vehicleId) ? -1 : 1))
      .slice(0, limit);
  }

  activeVehicleIds(page: IdPage, call: LoadCall): Promise<VehicleId[]> {
    return this.#parts.source.activeVehicleIds(page, call);
  }

  /** Lets the database follow for at most 2 s; what is left then is there at the next start. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#wake();
    const cancel = this.#parts.clock.schedule(CLOSE_WITHIN_MS, () => {
      this.#givenUp = true;
      this.#wake();
    });
    await this.#following;
    cancel();
    await this.#journal.close();
  }

  async #follow(): Promise<void> {
    let retryMs = RETRY_MIN_MS;
    while (!this.#givenUp) {
      try {
        const records = await this.#journal.read(RECORDS);
        if (records.length === 0) {
          if (this.#closing) return;
          await this.#sleep(undefined);
          continue;
        }
        await this.#save(records.flatMap(reportsOf));
        await this.#journal.take();
        this.#failure = undefined;
        retryMs = RETRY_MIN_MS;
      } catch (thrown) {
        this.#failure = toError(thrown);
        await this.#sleep(retryMs);
        retryMs = Math.min(RETRY_MAX_MS, retryMs * 2);
      }
    }
  }

  /** In halves, where the database refuses what some of them say, until those are alone. */
  async #save(reports: readonly ReportedLocation[]): Promise<void> {
    const { source } = this.#parts;
    let saved: readonly SavedLocation[];
    try {
      saved = await source.saveLocations(reports, { signal: NEVER, remainingMs: SAVE_WITHIN_MS });
    } catch (thrown) {
      if (!isAboutData(thrown)) throw thrown;
      if (reports.length === 1) return this.#refuse(reports[0] as ReportedLocation, toError(thrown));
      const half = Math.ceil(reports.length / 2);
      await this.#save(reports.slice(0, half));
      return this.#save(reports.slice(half));
    }
    const wrong = reports.filter((report, i) => this.#unsaved.saved(report, saved[i] as SavedLocation));
    if (wrong.length === 0) return;
    const ids = [...new Set(wrong.map(({ vehicleId }) => vehicleId))];
    // The cache has bounds of its own: what it does not forget now it keeps for a TTL at most.
    await this.#parts.corrected(ids).catch(noop);
  }

  async #refuse(report: ReportedLocation, error: Error): Promise<void> {
    const path = join(this.#parts.directory, 'refused.jsonl');
    await appendFile(path, `${JSON.stringify({ report, error: error.message })}\n`, { flush: true });
    this.#refused += 1;
  }

  /** @param ms left out: until there is something to do */
  #sleep(ms: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      // It may have come since somebody looked.
      if (ms === undefined && !this.#journal.isEmpty) return resolve();
      const cancel = ms === undefined ? noop : this.#parts.clock.schedule(ms, resolve);
      this.#wake = () => {
        // While the database fails, only the end hurries anybody.
        if (ms !== undefined && !this.#givenUp) return;
        this.#wake = noop;
        cancel();
        resolve();
      };
    });
  }
}

const NEVER = new AbortController().signal;

function reportsOf(record: Buffer): ReportedLocation[] {
  const reports = JSON.parse(record.toString()) as (Omit<ReportedLocation, 'at'> & { readonly at: string })[];
  return reports.map((report) => ({ ...report, at: new Date(report.at) }));
}

function noop(): void {}
