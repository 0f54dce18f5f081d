/**
 * Counts how often each of very many keys occurs, with as many counters as there are to be found (Metwally, Agrawal,
 * El Abbadi, "Efficient Computation of Frequent and Top-k Elements in Data Streams", ICDT 2005). A key without a counter
 * takes over the one that has counted least, with its count, which may be too much by that: the *error*. So of N
 * occurrences and m counters
 * 1. each key that has occurred more than N / m times has a counter;
 * 2. no key that has a counter has occurred more often than counted, or less often than counted less its error;
 * 3. no error is larger than N / m.
 *
 * The stream summary of the paper, which lists the counters of each count, is here an array of the counters in descending
 * order with the place at which each count begins: one more is a swap with the first of the same count.
 */
export class SpaceSaving {
  readonly #max: number;
  readonly #counters = new Map<string, number>();
  readonly #keys: string[] = [];
  readonly #counts: Uint32Array;
  readonly #errors: Uint32Array;
  /** The counter at each place, the one with the largest count first; and the place of each counter. */
  readonly #order: Uint32Array;
  readonly #places: Uint32Array;
  /** The first place of each count. */
  readonly #starts = new Map<number, number>();

  /** @param counters at least 1 */
  constructor(counters: number) {
    this.#max = counters;
    this.#counts = new Uint32Array(counters);
    this.#errors = new Uint32Array(counters);
    this.#order = new Uint32Array(counters);
    this.#places = new Uint32Array(counters);
  }

  /** How many keys have a counter. */
  get size(): number {
    return this.#keys.length;
  }

  /** Counts one more. @returns how often the key has occurred at least */
  add(key: string): number {
    const counter = this.#counters.get(key) ?? this.#counterFor(key);
    this.#raise(counter);
    return (this.#counts[counter] as number) - (this.#errors[counter] as number);
  }

  /** What was counted, and by how much that may be too much; undefined for a key without a counter. */
  estimate(key: string): { readonly count: number; readonly error: number } | undefined {
    const counter = this.#counters.get(key);
    if (counter === undefined) return undefined;
    return { count: this.#counts[counter] as number, error: this.#errors[counter] as number };
  }

  clear(): void {
    this.#counters.clear();
    this.#starts.clear();
    this.#keys.length = 0;
  }

  #counterFor(key: string): number {
    let counter = this.#keys.length;
    if (counter < this.#max) {
      this.#counts[counter] = 0;
      this.#errors[counter] = 0;
      this.#order[counter] = counter;
      this.#places[counter] = counter;
      this.#starts.set(0, counter);
    } else {
      counter = this.#order[this.#max - 1] as number;
      this.#counters.delete(this.#keys[counter] as string);
      this.#errors[counter] = this.#counts[counter] as number;
    }
    this.#keys[counter] = key;
    this.#counters.set(key, counter);
    return counter;
  }

  #raise(counter: number): void {
    const count = this.#counts[counter] as number;
    const start = this.#starts.get(count) as number;
    const first = this.#order[start] as number;
    const place = this.#places[counter] as number;
    this.#order[place] = first;
    this.#places[first] = place;
    this.#order[start] = counter;
    this.#places[counter] = start;
    this.#counts[counter] = count + 1;
    const next = start + 1;
    const isLast = next >= this.#keys.length || this.#counts[this.#order[next] as number] !== count;
    if (isLast) this.#starts.delete(count);
    else this.#starts.set(count, next);
    if (!this.#starts.has(count + 1)) this.#starts.set(count + 1, start);
  }
}
