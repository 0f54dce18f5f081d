import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** What is waited for; it is the subject of the error: "a new primary", "the cluster to be whole". */
  readonly what: string;
  readonly boundMs: number;
  readonly signal?: AbortSignal | undefined;
}

const POLL_EVERY_MS = 20;

/**
 * Asks `check` again and again until it answers true. A check that throws counts as "not yet": servers that are
 * starting refuse connections. Rejects after `boundMs`, with the last thing thrown as the cause, or on abort.
 */
export async function waitUntil(options: WaitOptions, check: () => boolean | Promise<boolean>): Promise<void> {
  const { what, boundMs, signal } = options;
  const endsAt = performance.now() + boundMs;
  let lastError: unknown;
  for (;;) {
    signal?.throwIfAborted();
    try {
      if (await check()) return;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() >= endsAt) {
      throw new Error(`Waited ${boundMs} ms in vain for ${what}.`, { cause: lastError });
    }
    await sleep(POLL_EVERY_MS, undefined, { signal });
  }
}
