import type { Clock } from '../core/clock.js';
import { CacheError } from '../core/errors.js';

export interface RefusalsOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Told of every refusal: why, as a word. There are some thirty of them. */
  readonly onRefused: (reason: string) => void;
  /** Told in words, of each reason once in a while. Without keys, values and secrets. */
  readonly onError: (error: Error) => void;
}

const REPORT_EVERY_MS = 10_000;

/** Counts what this node refused, and says so now and then. */
export class Refusals {
  readonly #options: RefusalsOptions;
  readonly #reports = new Map<string, { quietUntilMs: number; untold: number }>();

  constructor(options: RefusalsOptions) {
    this.#options = options;
  }

  /**
   * @param reason one of a fixed set of words
   * @param what was refused, such as `a POST of 127.0.0.1`
   */
  note(reason: string, what: string): void {
    const { clock, onRefused, onError } = this.#options;
    onRefused(reason);
    const report = this.#reports.get(reason) ?? { quietUntilMs: Number.NEGATIVE_INFINITY, untold: 0 };
    this.#reports.set(reason, report);
    const nowMs = clock.monotonicMs();
    if (nowMs < report.quietUntilMs) {
      report.untold += 1;
      return;
    }
    const more = report.untold === 0 ? '' : `, and ${report.untold} others since that was last said`;
    report.quietUntilMs = nowMs + REPORT_EVERY_MS;
    report.untold = 0;
    onError(new CacheError('level-failed', `the peer port refused ${what} (${reason})${more}`));
  }
}
