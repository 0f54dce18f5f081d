import { setTimeout as sleep } from 'node:timers/promises';
import type { PositionReport } from '../../node/demo/protocol.js';
import { isAhead } from './position-oracle.js';
import { type ReplayPing, readReplayFile } from './replay-file.js';
import { ReplayPace } from './replay-pace.js';
import type { Simulation } from './simulation.js';

/** Where positions go. */
export interface Sink {
  isFull(): boolean;
  offer(reports: readonly PositionReport[]): void;
}

const TICK_MS = 100;
/** Pings that are due within so short a time go together. */
const TOGETHER_MS = 20;
/** How long to leave a full sink alone. */
const FULL_PAUSE_MS = 20;
const BATCH_MAX = 500;
/** Ids of replayed vehicles lie from here on: beyond those of the simulated ones. */
const FIRST_REPLAY_ID = 900_000_001;
/** Each is a vehicle in the database, and known by name here. */
const PLATES_MAX = 100_000;
const COMPLAINTS_KEPT = 5;

/** Feeds what happens in a simulation, as it happens, until it is stopped. */
export async function feedSimulation(simulation: Simulation, sink: Sink, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    // What is due while the sink is full comes with the next look.
    if (!sink.isFull()) sink.offer(simulation.advance(Date.now()));
    await pause(TICK_MS, signal);
  }
}

export interface ReplayOptions {
  readonly path: string;
  readonly speed: number;
  readonly sink: Sink;
  /** Enters vehicles that have not been seen before. */
  readonly enter: (vehicles: readonly { readonly id: string; readonly registration: string }[]) => Promise<void>;
}

/** Feeds the pings of a file, by their times but faster, until it ends or is stopped. */
export class Replay {
  readonly #options: ReplayOptions;
  readonly #pace: ReplayPace;
  readonly #ids = new Map<string, string>();
  readonly #complaints: string[] = [];
  #pings = 0;
  #badLines = 0;
  #ahead = 0;
  #batch: PositionReport[] = [];

  constructor(options: ReplayOptions) {
    this.#options = options;
    this.#pace = new ReplayPace(options.speed);
  }

  /** Pings that were fed. */
  get pings(): number {
    return this.#pings;
  }

  get vehicles(): number {
    return this.#ids.size;
  }

  get badLines(): number {
    return this.#badLines;
  }

  /** Pings from the future. */
  get ahead(): number {
    return this.#ahead;
  }

  /** What was wrong with the first few lines that were passed over. */
  get complaints(): readonly string[] {
    return this.#complaints;
  }

  /** The time that the replay has come to, in ms since the epoch. */
  get replayMs(): number {
    return this.#pace.replayMs;
  }

  /** @throws when the file cannot be read on; what came before is fed */
  async run(signal: AbortSignal): Promise<void> {
    try {
      for await (const ping of readReplayFile(this.#options.path, (complaint) => this.#complain(complaint))) {
        // A tracker's clock that is ahead is put right by when its ping arrives. In a replay nobody knows when that was.
        if (isAhead(ping.t, Date.now())) {
          this.#ahead += 1;
          continue;
        }
        await this.#await(ping, signal);
        if (signal.aborted) return;
        this.#batch.push(await this.#reportOf(ping));
        if (this.#batch.length >= BATCH_MAX) await this.#flush(signal);
      }
    } finally {
      await this.#flush(signal);
    }
  }

  async #await({ t }: ReplayPing, signal: AbortSignal): Promise<void> {
    const waitMs = this.#pace.waitMs(t, performance.now());
    if (waitMs < TOGETHER_MS) return;
    await this.#flush(signal);
    await pause(waitMs, signal);
  }

  async #flush(signal: AbortSignal): Promise<void> {
    const { sink } = this.#options;
    const batch = this.#batch;
    this.#batch = [];
    while (sink.isFull() && !signal.aborted) await pause(FULL_PAUSE_MS, signal);
    if (signal.aborted) return;
    this.#pings += batch.length;
    sink.offer(batch);
  }

  async #reportOf({ v, t, lat, lon, kmh, ign }: ReplayPing): Promise<PositionReport> {
    return { vehicleId: await this.#idOf(v), at: t, lat, lon, speedKmh: kmh, engineOn: ign };
  }

  async #idOf(plate: string): Promise<string> {
    const known = this.#ids.get(plate);
    if (known !== undefined) return known;
    if (this.#ids.size >= PLATES_MAX) throw new Error(`more than ${PLATES_MAX} vehicles`);
    const id = String(FIRST_REPLAY_ID + this.#ids.size);
    this.#ids.set(plate, id);
    await this.#options.enter([{ id, registration: plate }]);
    return id;
  }

  #complain(complaint: string): void {
    this.#badLines += 1;
    if (this.#complaints.length < COMPLAINTS_KEPT) this.#complaints.push(complaint);
  }
}

/** Resolves early when it is stopped. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
