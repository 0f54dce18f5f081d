/**
 * One read of one key under way. Its result, or its failure, is shared by all who wait for it.
 *
 * A write or an invalidation *disarms* it: those who joined before still get the answer (their reads began before the
 * write was acknowledged), but nobody joins any more and the answer is kept nowhere.
 */
export class Flight<T> {
  readonly key: string;
  /** Whether the source is among the rungs that this flight asks. */
  readonly loads: boolean;
  readonly result: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
  #armed = true;

  constructor(key: string, loads: boolean) {
    this.key = key;
    this.loads = loads;
    const { promise, resolve, reject } = withResolvers<T>();
    // Every caller may have gone by the time it fails.
    promise.catch(() => {});
    this.result = promise;
    this.resolve = resolve;
    this.reject = reject;
  }

  /** Whether what it brings may be kept. */
  get armed(): boolean {
    return this.#armed;
  }

  disarm(): void {
    this.#armed = false;
  }
}

/**
 * The flights of this process, at most one per key that can be joined. Beside it a key may have one refresh, which
 * nobody joins: it asks no level but the source, so whoever wants the key is better served by what the levels hold.
 */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();
  readonly #refreshes = new Map<string, Flight<T>>();

  get size(): number {
    return this.#flights.size + this.#refreshes.size;
  }

  /** The flight to join. One that does not ask the source is of no use to a caller who has a loader. */
  find(key: string, loads: boolean): Flight<T> | undefined {
    const flight = this.#flights.get(key);
    return flight === undefined || (loads && !flight.loads) ? undefined : flight;
  }

  /** Starts a flight; whoever asks from now on joins it. */
  begin(key: string, loads: boolean): Flight<T> {
    return replace(this.#flights, new Flight<T>(key, loads));
  }

  /** The refresh to join: by whoever wants the source asked, and by nobody who would take what the levels have. */
  findRefresh(key: string): Flight<T> | undefined {
    return this.#refreshes.get(key);
  }

  /** Starts a flight that asks the source whatever the levels hold. */
  beginRefresh(key: string): Flight<T> {
    return replace(this.#refreshes, new Flight<T>(key, true));
  }

  /** Ends a flight. By identity: a newer flight of the same key, begun after a write, stays. */
  end(flight: Flight<T>): void {
    for (const flights of [this.#flights, this.#refreshes]) {
      if (flights.get(flight.key) === flight) flights.delete(flight.key);
    }
  }

  /** The key was written or deleted. */
  disarm(key: string): void {
    for (const flights of [this.#flights, this.#refreshes]) {
      flights.get(key)?.disarm();
      flights.delete(key);
    }
  }

  /** The keys for which `concerns` says so (all, when left out) can no longer be trusted. */
  disarmAll(concerns?: (key: string) => boolean): void {
    for (const flights of [this.#flights, this.#refreshes]) {
      for (const [key, flight] of flights) {
        if (concerns !== undefined && !concerns(key)) continue;
        flight.disarm();
        flights.delete(key);
      }
    }
  }
}

/**
 * A flight that another takes the place of goes on for its callers, but what it brings is kept nowhere: a later write
 * could not find it any more to disarm it.
 */
function replace<T>(flights: Map<string, Flight<T>>, flight: Flight<T>): Flight<T> {
  flights.get(flight.key)?.disarm();
  flights.set(flight.key, flight);
  return flight;
}

function withResolvers<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}
