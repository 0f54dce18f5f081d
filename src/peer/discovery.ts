import { type Call, waitWithin } from '../core/call.js';
import type { Cancel, Clock } from '../core/clock.js';
import { toError } from '../core/errors.js';

/** A place where nodes can be found, besides the seeds of the configuration. */
export interface Discovery {
  /** What it is called in errors. */
  readonly name: string;
  /** `host:port` of whoever is there now; may be told there where `self` is. Rejects when it cannot be asked. */
  find(self: string, call: Call): Promise<readonly string[]>;
  /** This node goes. Never rejects. */
  withdraw(self: string, call: Call): Promise<void>;
}

/** What this needs of a resolver of names. Each rejects when the name is not known. */
export interface NameLookup {
  /** The addresses of a name, IPv4 and IPv6. */
  addresses(name: string): Promise<readonly string[]>;
  /** The targets of a service (SRV records). */
  services(name: string): Promise<readonly { readonly name: string; readonly port: number }[]>;
}

/** Where a node says that it is there, and for how long at least, and hears who else did. */
export interface NodeRegistry {
  /** Says that `address` is there for `ttlMs`. @returns all that are there */
  announce(address: string, ttlMs: number, call: Call): Promise<readonly string[]>;
  withdraw(address: string, call: Call): Promise<void>;
}

/** How often discovery is asked: a node that starts elsewhere is found by us, or finds us, within that time. */
const FIND_EVERY_MS = 10_000;
const FIND_MAX_MS = 2_000;
/** Three times of asking: two may fail. */
const REGISTERED_MS = 30_000;
/** Most addresses that one source of them may name. */
const FOUND_MAX = 256;

/**
 * The pods behind a headless service, or any name with several addresses: A and AAAA records with one port for all, or
 * SRV records when no port is given.
 */
export function dnsDiscovery(lookup: NameLookup, name: string, port: number | undefined): Discovery {
  return {
    name: `DNS ${name}`,
    async find() {
      if (port === undefined) return (await lookup.services(name)).map((found) => `${found.name}:${found.port}`);
      return (await lookup.addresses(name)).map((host) =>
        host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
      );
    },
    async withdraw() {},
  };
}

/** Nodes that say in one place, such as the Redis of the city, that they are there. */
export function registryDiscovery(registry: NodeRegistry): Discovery {
  return {
    name: 'the registry of nodes',
    find: (self, call) => registry.announce(self, REGISTERED_MS, call),
    withdraw: (self, call) => registry.withdraw(self, call).catch(() => {}),
  };
}

export interface DiscoveryLoopParts {
  readonly clock: Clock;
  readonly discoveries: readonly Discovery[];
  readonly self: string;
  /** Never rejects; the first time, the start waits for it. */
  readonly onFound: (addresses: readonly string[]) => Promise<void>;
  readonly onError: (error: Error) => void;
}

/** Asks now and then who is where. What cannot be asked is believed to say what it said last. */
export class DiscoveryLoop {
  readonly #parts: DiscoveryLoopParts;
  readonly #found = new Map<Discovery, readonly string[]>();
  /** Those that failed when they were asked last: each failure is told once. */
  readonly #failing = new Set<Discovery>();
  #cancel: Cancel | undefined;
  #closed = false;

  constructor(parts: DiscoveryLoopParts) {
    this.#parts = parts;
  }

  /** Resolves when all have been asked once; then goes on by itself. */
  async start(): Promise<void> {
    if (this.#parts.discoveries.length === 0) return;
    await this.#findAll();
    this.#scheduleNext();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    const { discoveries, self } = this.#parts;
    await Promise.all(
      discoveries.map((one) =>
        this.#within(`the end of ${one.name}`, (call) => one.withdraw(self, call)).catch(() => {}),
      ),
    );
  }

  #scheduleNext(): void {
    if (this.#closed) return;
    this.#cancel = this.#parts.clock.schedule(FIND_EVERY_MS, () => {
      void this.#findAll().then(() => this.#scheduleNext());
    });
  }

  async #findAll(): Promise<void> {
    const { discoveries, onFound } = this.#parts;
    await Promise.all(discoveries.map((one) => this.#findIn(one)));
    if (!this.#closed) await onFound([...new Set([...this.#found.values()].flat())]);
  }

  async #findIn(one: Discovery): Promise<void> {
    const { self, onError } = this.#parts;
    try {
      const found = await this.#within(one.name, (call) => one.find(self, call));
      this.#found.set(one, found.slice(0, FOUND_MAX));
      this.#failing.delete(one);
    } catch (thrown) {
      if (this.#failing.has(one) || this.#closed) return;
      this.#failing.add(one);
      onError(toError(thrown));
    }
  }

  #within<T>(name: string, work: (call: Call) => Promise<T>): Promise<T> {
    const { clock } = this.#parts;
    const call: Call = { deadlineAtMs: clock.monotonicMs() + FIND_MAX_MS, signal: undefined, reason: 'probe' };
    return waitWithin(clock, call, name, work(call));
  }
}
