import type { Effort } from './effort.js';
import type { Shape } from './subject.js';
import type { Finding } from './verdict.js';

/** What goes between the runner and the process in which scenarios of one subject play. */
export interface ToHost {
  readonly id: string;
  readonly shape: Shape;
  readonly effort: Effort;
}

export type FromHost =
  | { readonly kind: 'ready'; readonly version: string; readonly shapes: readonly Shape[] }
  | { readonly kind: 'found'; readonly finding: Finding /** It cannot go on after this. */; readonly isLast: boolean };
