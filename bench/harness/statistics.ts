/** @throws RangeError for none */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  const lower = sorted[sorted.length % 2 === 0 ? middle - 1 : middle];
  if (upper === undefined || lower === undefined) throw new RangeError('there is no median of nothing');
  return (lower + upper) / 2;
}

export interface Spread {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** The median, between the lowest and the highest. */
export function spreadOf(values: readonly number[]): Spread {
  return { value: median(values), low: Math.min(...values), high: Math.max(...values) };
}

/**
 * The ratio of the medians. Its spread is that of the ratios of the rounds, whose two runs stood beside each other and
 * so met the same weather.
 */
export function ratioOf(values: readonly number[], others: readonly number[]): Spread {
  const rounds = values.flatMap((value, i) => {
    const other = others[i];
    return other === undefined ? [] : [value / other];
  });
  return { value: median(values) / median(others), low: Math.min(...rounds), high: Math.max(...rounds) };
}
