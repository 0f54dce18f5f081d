import type { ServerResponse } from 'node:http';
import type { Cancel, Clock } from '../../core/clock.js';
import { headersFor } from './reply.js';

/** An operator and a wall screen or two per node; not a public page. */
const LISTENERS_MAX = 32;
const INTERVAL_MS = 1_000;
/** How many events in a row a listener may be too slow for. Each one is the whole state, so a missed one is no loss. */
const MISSED_MAX = 10;
/** What an EventSource waits before it comes back. */
const RETRY_MS = 2_000;

interface Listener {
  readonly response: ServerResponse;
  missed: number;
}

/** Server-sent events with the whole state each second, as long as somebody listens. */
export class EventStream {
  readonly #clock: Clock;
  readonly #state: () => unknown;
  readonly #listeners = new Set<Listener>();
  #cancel: Cancel | undefined;

  constructor(clock: Clock, state: () => unknown) {
    this.#clock = clock;
    this.#state = state;
  }

  get isFull(): boolean {
    return this.#listeners.size >= LISTENERS_MAX;
  }

  /** Takes over the response and sends the first event. Throws, before that, when there is no state to be had. */
  add(response: ServerResponse): void {
    const first = this.#event();
    response.writeHead(200, headersFor('text/event-stream; charset=utf-8'));
    response.write(`retry: ${RETRY_MS}\n\n${first}`);
    const listener: Listener = { response, missed: 0 };
    this.#listeners.add(listener);
    response.once('close', () => this.#remove(listener));
    // A write to a listener that has just gone; its 'close' follows.
    response.on('error', () => {});
    this.#cancel ??= this.#clock.schedule(INTERVAL_MS, () => this.#tick());
  }

  close(): void {
    for (const { response } of this.#listeners) response.end();
    this.#listeners.clear();
    this.#stop();
  }

  #tick(): void {
    this.#cancel = this.#clock.schedule(INTERVAL_MS, () => this.#tick());
    let event: string;
    try {
      event = this.#event();
    } catch {
      // Whoever comes back hears from the request itself what is wrong.
      this.close();
      return;
    }
    for (const listener of [...this.#listeners]) {
      if (!listener.response.writableNeedDrain) {
        listener.missed = 0;
        listener.response.write(event);
        continue;
      }
      listener.missed += 1;
      if (listener.missed >= MISSED_MAX) listener.response.destroy();
    }
  }

  #event(): string {
    return `data: ${JSON.stringify(this.#state())}\n\n`;
  }

  #remove(listener: Listener): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size === 0) this.#stop();
  }

  #stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
