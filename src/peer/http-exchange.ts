import type { Dispatcher, Pool } from 'undici';
import type { Clock } from '../core/clock.js';
import { EPOCH_HEADER, HOT_HEADER, TIME_HEADER } from './limits.js';

export interface HttpReply {
  readonly status: number;
  readonly body: Buffer;
  /** The value of `EPOCH_HEADER`. */
  readonly epoch: string | undefined;
  /** The value of `TIME_HEADER`. */
  readonly time: string | undefined;
  /** The value of `HOT_HEADER`. */
  readonly hot: string | undefined;
}

/**
 * One request and its whole reply. The connection is given up when the reply takes longer than `limitMs`.
 * Rejects with what the connection ended in.
 */
export function exchange(
  pool: Pool,
  clock: Clock,
  request: Dispatcher.DispatchOptions,
  limitMs: number,
): Promise<HttpReply> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let status = 0;
    let epoch: string | undefined;
    let time: string | undefined;
    let hot: string | undefined;
    let controller: Dispatcher.DispatchController | undefined;
    let timedOut: Error | undefined;
    const cancel = clock.schedule(limitMs, () => {
      timedOut = new Error(`no answer within ${limitMs} ms`);
      controller?.abort(timedOut);
      reject(timedOut);
    });
    pool.dispatch(request, {
      onRequestStart(started) {
        controller = started;
        // It waited for a connection until nobody wanted it any more.
        if (timedOut !== undefined) started.abort(timedOut);
      },
      onResponseStart(_controller, statusCode, headers) {
        status = statusCode;
        epoch = firstOf(headers[EPOCH_HEADER]);
        time = firstOf(headers[TIME_HEADER]);
        hot = firstOf(headers[HOT_HEADER]);
      },
      onResponseData(_controller, chunk) {
        chunks.push(chunk);
      },
      onResponseEnd() {
        cancel();
        const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
        resolve({ status, epoch, time, hot, body });
      },
      onResponseError(_controller, error) {
        cancel();
        reject(error);
      },
    });
  });
}

function firstOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}
