import { setTimeout as sleep } from 'node:timers/promises';
import { Broken } from './verdict.js';

const POLL_EVERY_MS = 5;

/** Waits for something that must happen to go on; a subject that never does it is broken. */
export async function reached<T>(what: string, boundMs: number, work: Promise<T>): Promise<T> {
  const given = new AbortController();
  const late = sleep(boundMs, undefined, { signal: given.signal }).then(() => {
    throw new Broken(`${what}: not within ${said(boundMs)}`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    given.abort();
  }
}

/** Polls until `isSo`; resolves with the ms that took, or with undefined when it was not within the bound. */
export async function timeUntil(boundMs: number, isSo: () => boolean | Promise<boolean>): Promise<number | undefined> {
  const startedMs = performance.now();
  for (;;) {
    const askedMs = performance.now();
    if (await isSo()) return askedMs - startedMs;
    if (performance.now() - startedMs >= boundMs) return undefined;
    await sleep(POLL_EVERY_MS);
  }
}

/** 5012 ms as `5,012 ms`. */
export function said(ms: number): string {
  return `${Math.round(ms).toLocaleString('en-US')} ms`;
}

export function expectThat(isSo: boolean, otherwise: string): asserts isSo {
  if (!isSo) throw new Broken(otherwise);
}
