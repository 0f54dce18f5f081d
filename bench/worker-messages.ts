export type ToWorker =
  | {
      readonly kind: 'open';
      readonly id: number;
      readonly task: string;
      readonly name: string;
      readonly profile: boolean;
      readonly options: unknown;
    }
  | { readonly kind: 'call'; readonly id: number; readonly method: string; readonly args: readonly unknown[] }
  | { readonly kind: 'stop' };

export interface FromWorker {
  readonly id: number;
  readonly value?: unknown;
  /** With its stack. */
  readonly error?: string;
}
