import { setTimeout as sleep } from 'node:timers/promises';
import type { PositionReport, RecordedCounts } from '../../node/demo/protocol.js';

/** A node, as far as the feeder needs one. */
export interface FeedTarget {
  readonly alive: boolean;
  record(reports: readonly PositionReport[]): Promise<RecordedCounts>;
}

export interface FeedCounts extends RecordedCounts {
  readonly offered: number;
  /** Given up after several tries: no node has acknowledged them. */
  readonly lost: number;
}

export interface FeederOptions {
  readonly targets: readonly FeedTarget[];
  /** A node has acknowledged these. */
  readonly onRecorded: (reports: readonly PositionReport[]) => void;
  readonly onLost: (reports: number, why: string) => void;
}

/** Positions per message: one transaction of the node. */
const BATCH_MAX = 500;
/** Positions that wait for a node. Beyond it the feeder is full, and its feed has to wait. */
const WAITING_MAX = 5_000;
const TRIES = 4;
const PAUSE_MS = 500;

/**
 * Hands positions to nodes: those of one vehicle always to the same node, one batch at a time, so in order. What a
 * node fails to record is sent again; its database knows duplicates.
 */
export class Feeder {
  readonly #options: FeederOptions;
  readonly #queues: readonly PositionReport[][];
  readonly #pumps: (Promise<void> | undefined)[] = [];
  readonly #counts: { -readonly [K in keyof FeedCounts]: number } = {
    offered: 0,
    lost: 0,
    newest: 0,
    history: 0,
    duplicates: 0,
    ghosts: 0,
    jumps: 0,
    rejected: 0,
    clamped: 0,
  };
  #closed = false;

  constructor(options: FeederOptions) {
    this.#options = options;
    this.#queues = options.targets.map(() => []);
  }

  get counts(): FeedCounts {
    return { ...this.#counts };
  }

  /** A node has as many positions waiting as it may. What is offered all the same is taken; look before. */
  get isFull(): boolean {
    return this.#queues.some((queue) => queue.length >= WAITING_MAX);
  }

  offer(reports: readonly PositionReport[]): void {
    if (this.#closed) return;
    this.#counts.offered += reports.length;
    for (const report of reports) this.#queues[this.#shareOf(report.vehicleId)]?.push(report);
    this.#queues.forEach((queue, share) => {
      if (queue.length > 0) this.#pumps[share] ??= this.#pump(queue, share);
    });
  }

  /** Resolves when a node has acknowledged, or all tries have failed for, everything that was offered. */
  async settle(): Promise<void> {
    await Promise.all(this.#pumps);
  }

  /** Takes nothing more, and lets what waits go. */
  close(): void {
    this.#closed = true;
    for (const queue of this.#queues) queue.length = 0;
  }

  /** Ids are decimal digits, and the last of them differ most. */
  #shareOf(vehicleId: string): number {
    return Number(vehicleId.slice(-6)) % this.#queues.length;
  }

  async #pump(queue: PositionReport[], share: number): Promise<void> {
    while (queue.length > 0) await this.#send(queue.splice(0, BATCH_MAX), share);
    this.#pumps[share] = undefined;
  }

  async #send(batch: readonly PositionReport[], share: number): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        this.#add(await this.#targetOf(share).record(batch));
        this.#options.onRecorded(batch);
        return;
      } catch (error) {
        if (this.#closed) return;
        if (tries === TRIES) {
          this.#counts.lost += batch.length;
          this.#options.onLost(batch.length, error instanceof Error ? error.message : String(error));
          return;
        }
        await sleep(PAUSE_MS);
      }
    }
  }

  /** The node of a share, or the next one that is left. */
  #targetOf(share: number): FeedTarget {
    const { targets } = this.#options;
    const inTurn = targets.map((_, i) => targets[(share + i) % targets.length]);
    const target = inTurn.find((one) => one?.alive === true);
    if (target === undefined) throw new Error('no node is left');
    return target;
  }

  #add(recorded: RecordedCounts): void {
    for (const [what, count] of Object.entries(recorded) as [keyof RecordedCounts, number][]) {
      this.#counts[what] += count;
    }
  }
}
