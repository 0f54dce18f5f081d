import type { Level } from './outcome.js';

/** What the cache tells about its work. Called on hot paths: an implementation counts, and nothing more. */
export interface Recorder {
  /** A read was answered by `level`. */
  hit(level: Level): void;
  /** A read was answered by no level. */
  miss(): void;
  /** How long an operation (`get`, `set`, ...) took, or the asking of one level (`get:distributed`). */
  duration(operation: string, ms: number): void;
  error(level: Level, errorType: string): void;
}

export const NULL_RECORDER: Recorder = Object.freeze({ hit() {}, miss() {}, duration() {}, error() {} });
