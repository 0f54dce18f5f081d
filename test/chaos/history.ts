import { type Failure, READ_FIELDS } from './node-messages.js';

/** A span of time, in ms since the epoch. */
export interface Span {
  readonly fromMs: number;
  readonly untilMs: number;
}

interface Read {
  readonly node: string;
  readonly key: number;
  readonly dueMs: number;
  readonly tookMs: number;
}

export interface FailedRead extends Failure {
  readonly node: string;
}

const SECOND_MS = 1_000;

/** What all nodes read and loaded, and when. */
export class History {
  readonly failures: FailedRead[] = [];
  readonly #reads: Read[] = [];
  /** Of each load: its key, and when it was heard of. */
  readonly #loads: { readonly key: number; readonly atMs: number }[] = [];

  read(node: string, reads: Float64Array, failures: readonly Failure[]): void {
    for (let at = 0; at < reads.length; at += READ_FIELDS) {
      const [key = 0, dueMs = 0, tookMs = 0] = reads.subarray(at, at + READ_FIELDS);
      this.#reads.push({ node, key, dueMs, tookMs });
    }
    for (const failure of failures) this.failures.push({ ...failure, node });
  }

  loading(keys: readonly number[], atMs: number): void {
    for (const key of keys) this.#loads.push({ key, atMs });
  }

  get reads(): number {
    return this.#reads.length;
  }

  /** How often each key was loaded. */
  loadsByKey(): ReadonlyMap<number, number> {
    const counts = new Map<number, number>();
    for (const { key } of this.#loads) counts.set(key, (counts.get(key) ?? 0) + 1);
    return counts;
  }

  /**
   * How long reads took that were due in a span, in ms: so many in a thousand of them at most.
   * @param of which reads count
   * @returns undefined when there were none
   */
  quantileMs(perMille: number, { fromMs, untilMs }: Span, of: (read: Read) => boolean): number | undefined {
    const took = this.#reads
      .filter((read) => read.dueMs >= fromMs && read.dueMs < untilMs && of(read))
      .map(({ tookMs }) => tookMs)
      .sort((a, b) => a - b);
    return took[Math.min(took.length - 1, Math.ceil((took.length * perMille) / 1_000) - 1)];
  }

  /** The share of the reads of a span for which nobody had to ask the source. */
  hitShare({ fromMs, untilMs }: Span): number {
    const reads = this.#reads.filter(({ dueMs }) => dueMs >= fromMs && dueMs < untilMs).length;
    const loads = this.#loads.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs).length;
    return reads === 0 ? 0 : 1 - Math.min(1, loads / reads);
  }

  /** How many seconds of a span passed until every later one of it had at least such a share of hits. */
  secondsUntilHits(share: number, { fromMs, untilMs }: Span): number {
    let seconds = 0;
    for (let nth = 0; fromMs + (nth + 1) * SECOND_MS <= untilMs; nth++) {
      const startMs = fromMs + nth * SECOND_MS;
      if (this.hitShare({ fromMs: startMs, untilMs: startMs + SECOND_MS }) < share) seconds = nth + 1;
    }
    return seconds;
  }
}
