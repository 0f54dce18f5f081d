/** Randomness, from outside, so that a seed can reproduce a run. */
export interface Chance {
  /** Uniform in [0, 1). */
  next(): number;
}
