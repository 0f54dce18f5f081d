import { setTimeout as sleep } from 'node:timers/promises';
import { Broken, type Measure } from './verdict.js';

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

/**
 * Polls what must be right from some moment on, until it is. Resolves with when the last poll that was wrong began (0
 * if none was), or with undefined when it was never right within the bound.
 */
export async function lastWrongMs(boundMs: number, isRight: () => Promise<boolean>): Promise<number | undefined> {
  const startedMs = performance.now();
  let wrongMs = 0;
  const rightMs = await timeUntil(boundMs, async () => {
    const askedMs = performance.now() - startedMs;
    if (await isRight()) return true;
    wrongMs = askedMs;
    return false;
  });
  return rightMs === undefined ? undefined : wrongMs;
}

/** 5012 ms as `5,012 ms`. */
export function said(ms: number): string {
  return `${Math.round(ms).toLocaleString('en-US')} ms`;
}

export function expectThat(isSo: boolean, otherwise: string, measure?: Measure): asserts isSo {
  if (!isSo) throw new Broken(otherwise, measure);
}
