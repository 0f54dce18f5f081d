/** As many as an owner counts at a time. */
const LENT_MAX = 1_024;
const LENT_BYTES_MAX = 16 * 1_048_576;

interface Lent<F> {
  readonly flight: F;
  /** Monotonic. */
  readonly untilMs: number;
  readonly sizeBytes: number;
}

/** Flights that have ended, and whose answers are used for a moment more. What there is no room for is asked for again. */
export class LentFlights<F extends { readonly key: string }> {
  readonly #lent = new Map<string, Lent<F>>();
  #bytes = 0;

  get size(): number {
    return this.#lent.size;
  }

  find(key: string, nowMs: number): F | undefined {
    const lent = this.#lent.get(key);
    if (lent === undefined) return undefined;
    if (nowMs < lent.untilMs) return lent.flight;
    this.drop(key);
    return undefined;
  }

  keep(flight: F, untilMs: number, sizeBytes: number, nowMs: number): void {
    this.drop(flight.key);
    if (!this.#hasRoom(sizeBytes)) {
      for (const [key, lent] of this.#lent) if (nowMs >= lent.untilMs) this.drop(key);
    }
    if (nowMs >= untilMs || !this.#hasRoom(sizeBytes)) return;
    this.#lent.set(flight.key, { flight, untilMs, sizeBytes });
    this.#bytes += sizeBytes;
  }

  drop(key: string): void {
    const lent = this.#lent.get(key);
    if (lent === undefined) return;
    this.#lent.delete(key);
    this.#bytes -= lent.sizeBytes;
  }

  /** Those whose keys `concerns` names; all, when left out. */
  dropAll(concerns?: (key: string) => boolean): void {
    for (const key of this.#lent.keys()) if (concerns === undefined || concerns(key)) this.drop(key);
  }

  #hasRoom(sizeBytes: number): boolean {
    return this.#lent.size < LENT_MAX && this.#bytes + sizeBytes <= LENT_BYTES_MAX;
  }
}
