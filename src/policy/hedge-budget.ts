/** Of what was asked for, what may be asked for again: the 5 % that take longer than 95 % do, when nothing is wrong. */
const SHARE = 0.05;
/** What may be asked for again at once, in keys: a few answers that hang together. */
const BURST = 64;

/**
 * A bucket of tokens that fills with reads, not with time: so what hedging adds to the load is a fixed share of it, also when
 * everything is slow and every read would want a second one. (Dean and Barroso, "The tail at scale", 2013.)
 */
export class HedgeBudget {
  #tokens = BURST;

  /** So many keys are asked for, once. */
  earn(keys: number): void {
    this.#tokens = Math.min(BURST, this.#tokens + keys * SHARE);
  }

  /** @returns for how many of `keys` there are tokens, which are spent */
  spend(keys: number): number {
    const granted = Math.min(keys, Math.floor(this.#tokens));
    this.#tokens -= granted;
    return granted;
  }
}
