import type { NodeSettings, Read } from './subject.js';
import { NotExpressible } from './verdict.js';

/** What goes between a scenario and a node in a process of its own. Functions stay where they are and have a number. */
export type ToNode =
  | { readonly kind: 'start'; readonly subject: string; readonly settings: NodeSettings }
  | { readonly kind: 'call'; readonly id: number; readonly method: string; readonly args: readonly unknown[] }
  | { readonly kind: 'loaded'; readonly id: number; readonly value?: unknown; readonly error?: PlainError };

export type FromNode =
  | { readonly kind: 'started'; readonly error?: PlainError }
  | { readonly kind: 'answer'; readonly id: number; readonly value?: unknown; readonly error?: PlainError }
  | { readonly kind: 'load'; readonly id: number; readonly loader: number; readonly key: string };

/** A loader that runs on the other side. */
export interface LoaderNumber {
  readonly loader: number;
}

/** What a node read when its process moved again, and when that was, by the wall. */
export interface ReadAfterStall extends Read {
  readonly startedMs: number;
  readonly endedMs: number;
}

export interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly cause?: PlainError;
}

const CAUSES_MAX = 5;

export function toPlainError(thrown: unknown, depth = 0): PlainError {
  if (!(thrown instanceof Error)) return { name: 'Error', message: String(thrown) };
  const { name, message, cause } = thrown;
  return cause === undefined || depth >= CAUSES_MAX
    ? { name, message }
    : { name, message, cause: toPlainError(cause, depth + 1) };
}

export function fromPlainError({ name, message, cause }: PlainError): Error {
  if (name === 'NotExpressible') return new NotExpressible(message);
  const error = new Error(message, cause === undefined ? undefined : { cause: fromPlainError(cause) });
  error.name = name;
  return error;
}
