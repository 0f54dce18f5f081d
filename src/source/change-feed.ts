import type { Chance } from '../core/chance.js';
import type { Clock } from '../core/clock.js';
import { toError } from '../core/errors.js';
import { LogicalChanges, whyNotLogical } from './change-logical.js';
import { OutboxChanges } from './change-outbox.js';
import { forgetReader, tryLead } from './change-readers.js';
import type { ChangeCounters, ChangeFeedStats, ChangeTarget } from './change-records.js';
import { ChangeSession, refusalOf } from './change-session.js';
import type { Transport, TransportParts } from './change-transport.js';
import { Wake } from './change-wake.js';

/** How often a node that stands by tries to read, and a failed one begins again: from so long, up to so long. */
const STANDBY_MS = 1_000;
const RETRY_FIRST_MS = 200;
const RETRY_MAX_MS = 10_000;
/** Reading for so long makes up for the failures before it. */
const STEADY_MS = 30_000;
const LAG_MAX_BYTES = 1_073_741_824;
const APPLICATION_NAME = 'fleetflow-cache changes';

export interface ChangeFeedOptions {
  /** `postgres://user:password@host:port/database`, directly or through a pooler in session mode. */
  readonly url: string;
  /** Whose position it is. Its nodes share it: one reads, the others stand by. */
  readonly city: string;
  readonly target: ChangeTarget;
  readonly clock: Clock;
  readonly chance: Chance;
  /** How far behind a slot may be, in bytes of the log, before it is given up for floors. Default 1 GiB. */
  readonly lagMaxBytes?: number;
  /** Told of what goes wrong; it is tried again whatever this does. */
  readonly onError?: (error: Error) => void;
}

/** The server cannot do it, or will not do it for this role: privilege, configuration, slots in use. */
const UNABLE: ReadonlySet<string> = new Set(['42501', '55000', '53400', '0A000']);

/**
 * Tells a target of every change that is committed to the fleet's tables, whoever made it, at least once and from where
 * the city's last reader stopped. How they come is found out when reading begins: by logical replication if the server
 * and the role allow it, else by an outbox.
 */
export class ChangeFeed {
  readonly #options: ChangeFeedOptions;
  readonly #counters: ChangeCounters = {
    state: 'connecting',
    transport: undefined,
    whyOutbox: undefined,
    changes: 0,
    startedOver: 0,
    reconnects: 0,
    lagBytes: undefined,
    lagRows: undefined,
    lagMs: undefined,
    serverKeepsBytes: undefined,
    lastError: undefined,
  };
  /** Ends the waits for something to read. */
  readonly #wake: Wake;
  /** Ends the waits before the next attempt: only closing does, or a failure would cut short the wait after it. */
  readonly #patience: Wake;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: ChangeFeedOptions) {
    this.#options = options;
    this.#wake = new Wake(options.clock);
    this.#patience = new Wake(options.clock);
    this.#running = this.#run();
  }

  stats(): ChangeFeedStats {
    return { ...this.#counters };
  }

  /** Ends when the invalidation that is under way has; what was not acknowledged, the next reader is told again. */
  close(): Promise<void> {
    this.#stop.abort();
    this.#wake.wake();
    this.#patience.wake();
    return this.#running;
  }

  async #run(): Promise<void> {
    const { clock, chance, onError } = this.#options;
    let delayMs = RETRY_FIRST_MS;
    while (!this.#stop.signal.aborted) {
      const beganAtMs = clock.monotonicMs();
      this.#counters.state = 'connecting';
      try {
        await this.#readOnce();
      } catch (thrown) {
        if (this.#stop.signal.aborted) break;
        const error = toError(thrown);
        this.#counters.lastError = error.message;
        onError?.(error);
      }
      if (clock.monotonicMs() - beganAtMs > STEADY_MS) delayMs = RETRY_FIRST_MS;
      this.#counters.state = 'connecting';
      this.#counters.reconnects += 1;
      // Nodes that lost the database together do not come back together.
      await this.#patience.wait(delayMs * (0.5 + chance.next()));
      delayMs = Math.min(delayMs * 2, RETRY_MAX_MS);
    }
    this.#counters.state = 'closed';
  }

  async #readOnce(): Promise<never> {
    const { url, clock, city, target } = this.#options;
    let failure: Error | undefined;
    const session = await ChangeSession.open({
      url,
      applicationName: APPLICATION_NAME,
      signal: this.#stop.signal,
      onEnd: (error) => {
        failure = error;
        this.#wake.wake();
      },
    });
    try {
      await this.#standBy(session);
      const transport = await this.#prepare({
        clock,
        reader: city,
        target,
        counters: this.#counters,
        session,
        wake: this.#wake,
        signal: this.#stop.signal,
        failure: () => failure,
      });
      return await transport.run();
    } finally {
      session.end();
    }
  }

  async #prepare(parts: TransportParts): Promise<Transport> {
    const { url, lagMaxBytes = LAG_MAX_BYTES } = this.#options;
    parts.target.begin();
    let why = await whyNotLogical(parts.session);
    if (why === undefined) {
      const logical = new LogicalChanges({ ...parts, url, applicationName: APPLICATION_NAME, lagMaxBytes });
      try {
        await logical.prepare();
        this.#counters.transport = 'logical';
        this.#counters.whyOutbox = undefined;
        return logical;
      } catch (thrown) {
        if (!UNABLE.has(refusalOf(thrown) ?? '')) throw thrown;
        why = toError(thrown).message;
      }
    }
    const outbox = new OutboxChanges(parts);
    await outbox.prepare();
    this.#counters.transport = 'outbox';
    this.#counters.whyOutbox = why;
    return outbox;
  }

  async #standBy(session: ChangeSession): Promise<void> {
    const { city, chance } = this.#options;
    while (!(await tryLead(session, city))) {
      this.#counters.state = 'standby';
      await this.#patience.wait(STANDBY_MS * (0.5 + chance.next()));
    }
  }
}

/** See `forgetReader`. */
export async function forgetChanges(url: string, city: string): Promise<void> {
  const session = await ChangeSession.open({
    url,
    applicationName: APPLICATION_NAME,
    signal: new AbortController().signal,
    onEnd: () => {},
  });
  try {
    await forgetReader(session, city);
  } finally {
    session.end();
  }
}
