import type { Cache, LoadCall } from '../core/cache.js';
import { type CallOptions, startCall, waitWithin } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import type { Duration } from '../core/duration.js';
import { CacheError, toError } from '../core/errors.js';
import { SingleFlight } from '../core/single-flight.js';
import { outsideCall } from './waits.js';

/**
 * What may be kept of the answers of an API outside, by its terms. Google's terms: nothing, but ids of places. What is kept is
 * kept at all levels: who may store it at all may store it in all of the platform's memory.
 */
export type SourcePolicy<A> =
  | { readonly keep: 'nothing' }
  | {
      readonly keep: readonly (keyof A & string)[];
      readonly ttl: Duration;
      /** How long after that it may be served because the API fails. */
      readonly staleIfError?: Duration;
    };

export interface ExternalSourceOptions<Q, A extends object> {
  /** As it appears in errors: `the routes API`. */
  readonly name: string;
  readonly policy: SourcePolicy<A>;
  /** The key under which what may be kept is kept, and by which questions are told apart. */
  readonly keyOf: (question: Q) => string;
  readonly ask: (question: Q, call: LoadCall) => Promise<A | undefined>;
}

export interface ExternalSourceParts {
  readonly cache: Cache;
  readonly clock: Clock;
  /** Told of each question that was shared instead of asked, and of each that was asked. */
  readonly onShared: () => void;
  readonly onAsked: () => void;
}

const DEADLINE_MS = 10_000;
/** Most questions under way at a time. */
const FLIGHTS_MAX = 1_000;

/**
 * An API outside. Whoever asks the same at the same time shares one question, and of the answer is kept what its policy
 * names.
 */
export class ExternalSource<Q, A extends object> {
  readonly #parts: ExternalSourceParts;
  readonly #options: ExternalSourceOptions<Q, A>;
  readonly #flights = new SingleFlight<A | undefined>();

  constructor(parts: ExternalSourceParts, options: ExternalSourceOptions<Q, A>) {
    this.#parts = parts;
    this.#options = options;
  }

  /**
   * All of the answer: from the API, whatever is kept.
   * @throws CacheError what the API throws, `load-failed` for other errors; `overloaded` when 1,000 questions are under way;
   *   `deadline`, `aborted`
   */
  async ask(question: Q, options: CallOptions | undefined): Promise<A | undefined> {
    const { clock, onShared } = this.#parts;
    const { name, keyOf } = this.#options;
    const call = startCall(clock, options, DEADLINE_MS, 'read');
    const key = keyOf(question);
    const joined = this.#flights.find(key, true);
    if (joined !== undefined) onShared();
    return waitWithin(clock, call, name, (joined ?? this.#begin(key, question)).result);
  }

  /**
   * What may be kept of it: from the cache, or else from the API.
   * @throws CacheError as `ask` does, while nothing is kept
   */
  async kept(question: Q, options: CallOptions | undefined): Promise<Partial<A> | undefined> {
    const { policy, keyOf } = this.#options;
    if (policy.keep === 'nothing') return this.ask(question, options);
    const { keep, ttl, staleIfError } = policy;
    const load = async ({ signal, remainingMs }: LoadCall): Promise<Partial<A> | undefined> => {
      const answer = await this.ask(question, { signal, deadline: Math.max(1, remainingMs) });
      return answer === undefined ? undefined : picked(answer, keep);
    };
    const how = { ttl, ...(staleIfError !== undefined && { staleIfError }), ...options };
    return this.#parts.cache.getOrLoad<Partial<A>>(keyOf(question), load, how);
  }

  /** Its deadline is its own: it must not end because the one who happened to ask first is in a hurry. */
  #begin(key: string, question: Q) {
    if (this.#flights.size >= FLIGHTS_MAX) {
      const { name } = this.#options;
      throw new CacheError('overloaded', `${FLIGHTS_MAX} questions to ${name} are under way: ask again later`);
    }
    const flight = this.#flights.begin(key, true);
    this.#answer(question).then(
      (answer) => {
        this.#flights.end(flight);
        flight.resolve(answer);
      },
      (thrown: unknown) => {
        this.#flights.end(flight);
        flight.reject(toError(thrown));
      },
    );
    return flight;
  }

  async #answer(question: Q): Promise<A | undefined> {
    const { clock, onAsked } = this.#parts;
    const { name, ask } = this.#options;
    const call = startCall(clock, undefined, DEADLINE_MS, 'read');
    const outside = outsideCall(clock, call, name);
    onAsked();
    try {
      return await waitWithin(clock, call, name, ask(question, outside));
    } catch (thrown) {
      throw sourceError(name, thrown);
    } finally {
      outside.end();
    }
  }
}

function picked<A extends object>(answer: A, fields: readonly (keyof A & string)[]): Partial<A> {
  return Object.fromEntries(fields.map((field) => [field, answer[field]])) as Partial<A>;
}

function sourceError(name: string, thrown: unknown): CacheError {
  if (thrown instanceof CacheError) return thrown;
  return new CacheError('load-failed', `${name} failed: ${toError(thrown).message}`, { cause: thrown });
}
