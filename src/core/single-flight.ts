import type { Call } from './call.js';
import { LentFlights } from './lent-flights.js';

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
  /** Monotonic instant by which it has ended. */
  readonly deadlineAtMs: number;
  #armed = true;
  #ended: { readonly value: T } | { readonly error: Error } | undefined;
  #shared: Resolvers<T> | undefined;

  constructor(key: string, loads: boolean, deadlineAtMs: number) {
    this.key = key;
    this.loads = loads;
    this.deadlineAtMs = deadlineAtMs;
  }

  /** For those who wait for it. Most flights have one caller, who sees them end and needs no promise. */
  get result(): Promise<T> {
    if (this.#shared === undefined) {
      this.#shared = withResolvers<T>();
      this.#settle();
    }
    return this.#shared.promise;
  }

  /** What it has brought, or its failure thrown; undefined before it has ended. */
  get value(): T | undefined {
    if (this.#ended === undefined) return undefined;
    if ('error' in this.#ended) throw this.#ended.error;
    return this.#ended.value;
  }

  resolve(value: T): void {
    this.#ended = { value };
    this.#settle();
  }

  reject(error: Error): void {
    this.#ended = { error };
    this.#settle();
  }

  /** Whether it ends within the call by itself, as the rungs do. What is loaded may outlast whoever waits for it. */
  endsWithin({ deadlineAtMs, signal }: Call): boolean {
    if (this.#ended !== undefined) return true;
    return signal === undefined && !this.loads && this.deadlineAtMs <= deadlineAtMs;
  }

  /** Whether what it brings may be kept. */
  get armed(): boolean {
    return this.#armed;
  }

  disarm(): void {
    this.#armed = false;
  }

  #settle(): void {
    const ended = this.#ended;
    if (this.#shared === undefined || ended === undefined) return;
    if ('error' in ended) {
      // Every caller may have gone by now.
      this.#shared.promise.catch(() => {});
      this.#shared.reject(ended.error);
    } else this.#shared.resolve(ended.value);
  }
}

/**
 * The flights of this process, at most one per key that can be joined. Beside it a key may have one refresh, which
 * nobody joins: it asks no level but the source, so whoever wants the key is better served by what the levels hold.
 */
export class SingleFlight<T> {
  /**
   * Those that ended a moment ago, and may be joined all the same, until anything happens to their keys: a write, an
   * invalidation, or that somebody has learned something else.
   */
  readonly lent = new LentFlights<Flight<T>>();
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
  begin(key: string, loads: boolean, deadlineAtMs = Number.POSITIVE_INFINITY): Flight<T> {
    return replace(this.#flights, new Flight<T>(key, loads, deadlineAtMs));
  }

  /** The refresh to join: by whoever wants the source asked, and by nobody who would take what the levels have. */
  findRefresh(key: string): Flight<T> | undefined {
    return this.#refreshes.get(key);
  }

  /** Starts a flight that asks the source whatever the levels hold. */
  beginRefresh(key: string): Flight<T> {
    return replace(this.#refreshes, new Flight<T>(key, true, Number.POSITIVE_INFINITY));
  }

  /** Ends a flight. By identity: a newer flight of the same key, begun after a write, stays. */
  end(flight: Flight<T>): void {
    this.lent.drop(flight.key);
    if (this.#flights.get(flight.key) === flight) this.#flights.delete(flight.key);
    else if (this.#refreshes.get(flight.key) === flight) this.#refreshes.delete(flight.key);
  }

  /** The key was written or deleted. */
  disarm(key: string): void {
    this.lent.drop(key);
    disarmIn(this.#flights, key);
    disarmIn(this.#refreshes, key);
  }

  /** The keys for which `concerns` says so (all, when left out) can no longer be trusted. */
  disarmAll(concerns?: (key: string) => boolean): void {
    this.lent.dropAll(concerns);
    for (const flights of [this.#flights, this.#refreshes]) {
      for (const [key, flight] of flights) {
        if (concerns !== undefined && !concerns(key)) continue;
        flight.disarm();
        flights.delete(key);
      }
    }
  }
}

function disarmIn<T>(flights: Map<string, Flight<T>>, key: string): void {
  const flight = flights.get(key);
  if (flight === undefined) return;
  flight.disarm();
  flights.delete(key);
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

interface Resolvers<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

function withResolvers<T>(): Resolvers<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}
