import type { Call } from '../core/call.js';
import { CacheError, toError } from '../core/errors.js';
import type { Change, Feed } from '../core/feed.js';
import { type Floor, Floors } from '../core/floors.js';
import type { HybridClock } from '../core/hlc.js';
import { STORED, type WriteOutcome } from '../core/outcome.js';
import { fingerprintFloors } from './control-format.js';
import type { MemberInfo } from './member.js';
import type { PeerTransport } from './transport.js';

/** The floors that this process goes by. */
export type KnownFloors = Pick<Floors, 'list' | 'passes' | 'epoch'>;

export interface PeerFeedParts {
  readonly transport: PeerTransport;
  readonly hlc: HybridClock;
  readonly floors: KnownFloors;
  members(): readonly MemberInfo[];
}

/** Two sets of floors that were compared: theirs and ours. */
interface Compared {
  readonly theirs: string;
  readonly ours: string;
}

/**
 * Floors among peers. A floor that is raised goes to all of them at once. Who misses it notices at the next hello,
 * by comparing fingerprints, and fetches what the other knows; so does a node that starts, or comes back.
 *
 * Changes of single entries do not travel here: a peer is asked, and does not keep what it asked for.
 */
export class PeerFeed implements Feed {
  readonly #parts: PeerFeedParts;
  /** What came before anybody listened. */
  readonly #early = new Floors();
  /** By address of a member. */
  readonly #compared = new Map<string, Compared>();
  #onChange: ((change: Change) => void) | undefined;
  #own = { epoch: -1, fingerprint: '' };

  constructor(parts: PeerFeedParts) {
    this.#parts = parts;
  }

  listen(onChange: (change: Change) => void): void {
    this.#onChange = onChange;
    for (const floor of this.#early.list()) onChange({ kind: 'floor', floor });
  }

  /** `stored` when every member that is not down has it; with nobody else there, it is known to all. */
  async raise(floor: Floor, call: Call): Promise<WriteOutcome> {
    const members = this.#parts.members().filter(({ status }) => status !== 'down');
    const failures = await Promise.all(members.map(({ address }) => this.#tell(address, floor, call)));
    const errors = failures.filter((error) => error !== undefined);
    if (errors.length === 0) return STORED;
    const why = errors.map(({ message }) => message).join('; ');
    const error = new CacheError(
      'level-failed',
      `${errors.length} of ${members.length} peers did not get a floor; they fetch it when they are back: ${why}`,
      { cause: errors[0] },
    );
    return { kind: 'failed', error };
  }

  /**
   * Floors from elsewhere.
   * @throws CacheError `level-failed`, before any is taken, when the sender's clock is too far ahead to be followed
   */
  take(floors: readonly Floor[]): void {
    for (const { hlc } of floors) this.#parts.hlc.receive(hlc);
    for (const floor of floors) {
      if (this.#onChange === undefined) this.#early.raise(floor);
      else this.#onChange({ kind: 'floor', floor });
    }
  }

  /** The same on two nodes that know the same floors. */
  fingerprint(): string {
    const { floors } = this.#parts;
    if (this.#own.epoch !== floors.epoch) {
      this.#own = { epoch: floors.epoch, fingerprint: fingerprintFloors(floors.list()) };
    }
    return this.#own.fingerprint;
  }

  /**
   * Fetches what the peer at `address` knows, unless it is what we know, or was compared already.
   * @throws CacheError when it cannot be had
   */
  async heal(address: string, theirs: string, call: Call): Promise<void> {
    const ours = this.fingerprint();
    const last = this.#compared.get(address);
    if (theirs === ours || (last?.theirs === theirs && last.ours === ours)) return;
    this.take(await this.#parts.transport.floors(address, call));
    // Ours from before: what came is compared once more, so that nothing raised meanwhile is taken for known.
    this.#compared.set(address, { theirs, ours });
  }

  forget(address: string): void {
    this.#compared.delete(address);
  }

  async #tell(address: string, floor: Floor, call: Call): Promise<Error | undefined> {
    try {
      await this.#parts.transport.raise(address, [floor], call);
      return undefined;
    } catch (thrown) {
      return toError(thrown);
    }
  }
}
