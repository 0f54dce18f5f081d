/**
 * How long things took, in a fixed number of buckets: each power of two from 2^-10 ms (about 1 us) to 2^16 ms (about
 * 65 s) is cut into 16 equal parts. That is the log-linear layout of HdrHistogram (Tene, 2012); a double already holds
 * its bucket in the exponent and the first four bits of the fraction, so finding it takes no logarithm and no search.
 *
 * Error: a quantile is the middle of the bucket that holds the exact one, at most 1/32 (3.2 %) of it away. What is no
 * longer than 2^-10 ms is known only to be that, what is longer than 2^16 ms too. Counts and sums are exact.
 */

const LOWEST_EXPONENT = -10;
const HIGHEST_EXPONENT = 16;
const PARTS_BITS = 4;
const PARTS = 1 << PARTS_BITS;

/** No longer than this and longer than that have a bucket each, the first and the last. */
const LOWEST_MS = 2 ** LOWEST_EXPONENT;
const HIGHEST_MS = 2 ** HIGHEST_EXPONENT;
const LAST = (HIGHEST_EXPONENT - LOWEST_EXPONENT) * PARTS + 1;

const DOUBLE_BIAS = 1_023;
/** Bits of the upper word of a double below those that name the bucket. */
const REST_BITS = 20 - PARTS_BITS;
const BEFORE_FIRST = ((LOWEST_EXPONENT + DOUBLE_BIAS) << PARTS_BITS) - 1;

/** Times this, a double is the next smaller one: a time on an edge belongs to the bucket below it, as Prometheus' `le` has it. */
const JUST_BELOW = 1 - Number.EPSILON / 2;

const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);
const UPPER_WORD = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 1 : 0;

/** As plain data: only the buckets that hold something, by ascending index. */
export interface HistogramSnapshot {
  readonly count: number;
  readonly sumMs: number;
  readonly buckets: readonly (readonly [index: number, count: number])[];
}

export class Histogram {
  readonly #counts = new Float64Array(LAST + 1);
  #count = 0;
  #sumMs = 0;

  static from(snapshot: HistogramSnapshot): Histogram {
    const histogram = new Histogram();
    histogram.merge(snapshot);
    return histogram;
  }

  get count(): number {
    return this.#count;
  }

  get sumMs(): number {
    return this.#sumMs;
  }

  /** Counts one time. What is no time (negative, infinite, not a number) is left out. */
  record(ms: number): void {
    if (!(ms >= 0 && ms < Number.POSITIVE_INFINITY)) return;
    const index = bucketOf(ms);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#count += 1;
    this.#sumMs += ms;
  }

  /** Adds what another one counted. */
  merge(other: HistogramSnapshot): void {
    this.#add(other, 1);
  }

  /** Takes out what an earlier snapshot of the same histogram had counted already. */
  subtract(earlier: HistogramSnapshot): void {
    this.#add(earlier, -1);
  }

  /**
   * The time that a share `p` of all did not exceed (nearest rank: the smallest with at least `p * count` not above
   * it), to the error given above; undefined when there is none.
   */
  quantile(p: number): number | undefined {
    if (this.#count === 0) return undefined;
    const rank = Math.max(1, Math.ceil(p * this.#count));
    let passed = 0;
    let index = 0;
    while (index < LAST) {
      passed += this.#counts[index] ?? 0;
      if (passed >= rank) break;
      index += 1;
    }
    return index === LAST ? HIGHEST_MS : (upperEdgeMs(index - 1) + upperEdgeMs(index)) / 2;
  }

  /** How many took no longer than each power of two from 2^-10 ms to 2^16 ms; exact. */
  cumulative(): readonly (readonly [upperMs: number, count: number])[] {
    const rows: [number, number][] = [];
    let passed = 0;
    for (let index = 0; index < LAST; index++) {
      passed += this.#counts[index] ?? 0;
      if (index % PARTS === 0) rows.push([upperEdgeMs(index), passed]);
    }
    return rows;
  }

  snapshot(): HistogramSnapshot {
    const buckets: [number, number][] = [];
    for (const [index, count] of this.#counts.entries()) {
      if (count !== 0) buckets.push([index, count]);
    }
    return { count: this.#count, sumMs: this.#sumMs, buckets };
  }

  #add(other: HistogramSnapshot, sign: 1 | -1): void {
    for (const [index, count] of other.buckets) this.#counts[index] = (this.#counts[index] ?? 0) + sign * count;
    this.#count += sign * other.count;
    this.#sumMs += sign * other.sumMs;
  }
}

function bucketOf(ms: number): number {
  if (ms <= LOWEST_MS) return 0;
  if (ms > HIGHEST_MS) return LAST;
  double[0] = ms * JUST_BELOW;
  return ((words[UPPER_WORD] ?? 0) >>> REST_BITS) - BEFORE_FIRST;
}

/** The longest time that bucket `index` holds; 0 before the first bucket. */
function upperEdgeMs(index: number): number {
  if (index < 0) return 0;
  const whole = Math.floor(index / PARTS);
  return 2 ** (LOWEST_EXPONENT + whole) * (1 + (index % PARTS) / PARTS);
}
