/** What goes between a campaign and a node in a process of its own. Keys are numbers; `keyName` makes names of them. */
export type ToNode =
  | { readonly kind: 'start'; readonly settings: NodeSettings }
  /** Loads these keys, many at a time. */
  | { readonly kind: 'warm'; readonly keys: readonly number[] }
  /** Begins to read, so many a second. */
  | { readonly kind: 'play'; readonly readsPerSecond: number; readonly seed: number }
  | { readonly kind: 'owners' };

export type FromNode =
  | { readonly kind: 'done'; readonly error?: string; readonly value?: unknown }
  | { readonly kind: 'loading'; readonly keys: readonly number[] }
  | { readonly kind: 'reads'; readonly reads: Float64Array; readonly failures: readonly Failure[] };

export interface NodeSettings {
  readonly port: number;
  readonly seeds: readonly string[];
  readonly secret: string;
  readonly keys: number;
}

/** A read that did not bring the value of its key. */
export interface Failure {
  readonly key: number;
  readonly startedMs: number;
  readonly why: string;
}

/** Of each read in `reads`: the key, when it was due (ms since the epoch), how long after that it was answered (ms). */
export const READ_FIELDS = 3;

export function keyName(key: number): string {
  return `vehicle:location:${key}`;
}

/** What the source says of a key, and so what every read has to bring. */
export function sourceValue(key: number): { readonly id: number; readonly note: string } {
  return { id: key, note: 'x'.repeat(150 + (key % 100)) };
}
