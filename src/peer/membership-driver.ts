import type { Call } from '../core/call.js';
import type { Chance } from '../core/chance.js';
import type { Cancel, Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import type { Contact } from './membership.js';
import type { PeerCluster } from './peer-cluster.js';
import type { Hello, PeerTransport } from './transport.js';

export interface MembershipDriverParts {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly cluster: PeerCluster;
  readonly transport: Pick<PeerTransport, 'hello'>;
  /** Told of every hello before its sender counts as there; may go on asking it, within the call. */
  readonly onHello: (address: string, hello: Hello, call: Call) => Promise<void>;
  readonly onError: (error: Error) => void;
}

/** Often enough that a peer is suspect a second and a half after it froze. */
const HELLO_EVERY_MS = 500;
/** A fifth either way, so that nodes that started together do not keep asking together. */
const JITTER = 0.2;
/** Longer than a pause of the collector or a busy moment, so that neither makes a peer suspect. */
const HELLO_MAX_MS = 1_000;
/** Who is not there is asked in every so many rounds only. */
const DOWN_ROUNDS = 4;
/** The seeds, whom they know, and whom those know. */
const JOIN_ROUNDS = 2;

/** Says hello to everybody now and then, and tells the cluster who answered and who did not. */
export class MembershipDriver {
  readonly #parts: MembershipDriverParts;
  /** Addresses that have not answered the last question yet: nobody is asked twice at a time. */
  readonly #asking = new Set<string>();
  /** The codes of the errors that were reported of an address since it last answered. */
  readonly #reported = new Map<string, Set<string>>();
  #round = 0;
  #cancel: Cancel | undefined;
  #closed = false;

  constructor(parts: MembershipDriverParts) {
    this.#parts = parts;
  }

  /** Resolves when the seeds, and whom they know, have answered or had their time to; then goes on by itself. */
  async start(): Promise<void> {
    for (let round = 0; round < JOIN_ROUNDS; round++) {
      await Promise.all(this.#parts.cluster.contacts().map((contact) => this.#ask(contact)));
    }
    this.#scheduleNext();
  }

  /** Somebody at `address` asked us. Who was not there is asked back at once, so that a node that joins is soon known. */
  meet(address: string): void {
    const { cluster } = this.#parts;
    cluster.apply({ kind: 'heard', address });
    const contact = cluster.contacts().find((one) => one.address === address);
    if (contact?.status === 'down' && !this.#closed) void this.#ask(contact);
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  #scheduleNext(): void {
    if (this.#closed) return;
    const jitter = 1 + JITTER * (2 * this.#parts.chance.next() - 1);
    this.#cancel = this.#parts.clock.schedule(HELLO_EVERY_MS * jitter, () => {
      this.#round += 1;
      this.#parts.cluster.apply({ kind: 'tick' });
      for (const contact of this.#parts.cluster.contacts()) {
        const isAway = contact.status === 'down' && contact.failingSinceMs !== undefined;
        if (!isAway || this.#round % DOWN_ROUNDS === 0) void this.#ask(contact);
      }
      this.#scheduleNext();
    });
  }

  async #ask({ address }: Contact): Promise<void> {
    if (this.#asking.has(address)) return;
    this.#asking.add(address);
    const { clock, cluster, transport, onHello } = this.#parts;
    const call: Call = { deadlineAtMs: clock.monotonicMs() + HELLO_MAX_MS, signal: undefined, reason: 'probe' };
    try {
      const hello = await transport.hello(address, cluster.self, call);
      this.#checkTwin(hello);
      await onHello(address, hello, call);
      const known = hello.members.filter(({ status }) => status === 'up').map((member) => member.address);
      cluster.apply({ kind: 'answered', address, node: hello.node, known });
      this.#reported.delete(address);
    } catch (thrown) {
      cluster.apply({ kind: 'failed', address });
      this.#report(address, toError(thrown));
    } finally {
      this.#asking.delete(address);
    }
  }

  /** @throws CacheError `invalid-config` when another node goes by our id */
  #checkTwin({ node }: Hello): void {
    const { self } = this.#parts.cluster;
    if (node.id !== self.id || node.address === self.address) return;
    throw new CacheError(
      'invalid-config',
      `the node at ${node.address} has the same id as this one (${self.id}, at ${self.address}): give each its own`,
      { field: 'nodeId' },
    );
  }

  /** Each kind of error once for each address, until it answers again. */
  #report(address: string, error: Error): void {
    const code = error instanceof CacheError ? error.code : error.name;
    const codes = this.#reported.get(address) ?? new Set();
    if (this.#closed || codes.has(code)) return;
    this.#reported.set(address, codes.add(code));
    this.#parts.onError(error);
  }
}
