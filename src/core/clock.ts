/** Takes back what was scheduled; harmless when it already ran. */
export type Cancel = () => void;

/**
 * Time, from outside. Two clocks that are never mixed: the monotonic one measures how long something takes and is
 * what deadlines are made of; the wall clock dates versions and entries and may jump.
 */
export interface Clock {
  /** Milliseconds since some fixed instant of this process; never goes back. */
  monotonicMs(): number;
  /** Milliseconds since the Unix epoch, in UTC, as the city reckons it. */
  wallMs(): number;
  /** How far `wallMs` may lie from the time of the city, in either direction. */
  uncertaintyMs(): number;
  /** Calls `run` once after `delayMs`. Does not keep the process alive. */
  schedule(delayMs: number, run: () => void): Cancel;
}
