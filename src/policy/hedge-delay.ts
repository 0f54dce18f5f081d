/** Answers that count: enough for a quantile of 95 %, few enough that the last seconds of a busy peer decide. */
const WINDOW = 128;
/** Before so many answers nothing is known. */
const FEW = 20;
/** The quantile is worked out anew after so many answers: sorting costs more than all else here. */
const EVERY = 16;
const QUANTILE = 0.95;

/** What 95 % of the last answers of one part took no longer than. The samples are a ring; time is passed in. */
export class HedgeDelay {
  readonly #samples = new Float64Array(WINDOW);
  #noted = 0;
  #delayMs: number | undefined;

  note(tookMs: number): void {
    this.#samples[this.#noted % WINDOW] = tookMs;
    this.#noted += 1;
    if (this.#noted >= FEW && (this.#delayMs === undefined || this.#noted % EVERY === 0))
      this.#delayMs = this.#quantile();
  }

  /** In ms; undefined before there are enough answers to tell. */
  get ms(): number | undefined {
    return this.#delayMs;
  }

  #quantile(): number {
    const sorted = this.#samples.slice(0, Math.min(this.#noted, WINDOW)).sort();
    return sorted[Math.ceil(sorted.length * QUANTILE) - 1] as number;
  }
}
