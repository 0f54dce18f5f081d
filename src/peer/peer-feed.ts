import type { Call } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import type { Change, Feed } from '../core/feed.js';
import type { Floor, Floors } from '../core/floors.js';
import type { HybridClock } from '../core/hlc.js';
import { STORED, type WriteOutcome } from '../core/outcome.js';
import { encodeHlc } from '../core/version.js';
import { FloorCaster } from './floor-caster.js';
import { FloorLog } from './floor-log.js';
import { isThere, type MemberInfo } from './member.js';
import type { FloorList, PeerTransport } from './transport.js';

/** The floors that this process goes by. */
export type KnownFloors = Pick<Floors, 'list' | 'passes'>;

export interface PeerFeedParts {
  readonly clock: Clock;
  readonly transport: Pick<PeerTransport, 'raise' | 'floors'>;
  readonly hlc: HybridClock;
  readonly floors: KnownFloors;
  members(): readonly MemberInfo[];
}

/**
 * Floors among peers. A floor that is raised goes to all of them at once. Every node keeps a log of what went through
 * it, and says with its gossip how far that goes: who sees that it went on fetches what came since, and so gets what it
 * missed, also from others than the one who raised it. A node that starts, or was away for long, fetches everything.
 *
 * Changes of single entries do not travel here: a peer is asked, and does not keep what it asked for.
 */
export class PeerFeed implements Feed {
  readonly #parts: PeerFeedParts;
  readonly #log: FloorLog;
  /** How much of the log of the node at an address is known here. */
  readonly #marks = new Map<string, string>();
  readonly #casters = new Map<string, FloorCaster>();
  #onChange: (change: Change) => void = () => {};

  constructor(parts: PeerFeedParts) {
    this.#parts = parts;
    this.#log = new FloorLog(encodeHlc(parts.hlc.next()));
  }

  listen(onChange: (change: Change) => void): void {
    this.#onChange = onChange;
    // What came before anybody listened.
    for (const floor of this.#log.list()) onChange({ kind: 'floor', floor });
  }

  /** `stored` when every member that is not down has it; with nobody else there, it is known to all. */
  async raise(floor: Floor, call: Call): Promise<WriteOutcome> {
    this.#log.add(floor);
    const members = this.#parts.members().filter(isThere);
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
    for (const floor of floors) if (this.#log.add(floor)) this.#onChange({ kind: 'floor', floor });
  }

  /** How far the log of this node goes. */
  get mark(): string {
    return this.#log.mark;
  }

  /** What came here after `mark`; everything that this process goes by, when that is not known. */
  listAfter(mark: string | undefined): FloorList {
    const since = mark === undefined ? undefined : this.#log.after(mark);
    return { mark: this.#log.mark, floors: since ?? this.#parts.floors.list() };
  }

  /**
   * Fetches what the node at `address` has logged since it was asked last.
   * @param theirs how far its log goes, as it says
   * @throws CacheError when it cannot be had
   */
  async catchUp(address: string, theirs: string, call: Call): Promise<void> {
    const known = this.#marks.get(address);
    if (known === theirs) return;
    const { mark, floors } = await this.#parts.transport.floors(address, known, call);
    this.take(floors);
    this.#marks.set(address, mark);
  }

  forget(address: string): void {
    this.#marks.delete(address);
    this.#casters.delete(address);
  }

  async #tell(address: string, floor: Floor, call: Call): Promise<Error | undefined> {
    try {
      await this.#casterOf(address).tell(floor, call);
      return undefined;
    } catch (thrown) {
      return toError(thrown);
    }
  }

  #casterOf(address: string): FloorCaster {
    let caster = this.#casters.get(address);
    if (caster === undefined) {
      const { clock, transport } = this.#parts;
      caster = new FloorCaster(clock, `peer ${address}`, (floors, call) => transport.raise(address, floors, call));
      this.#casters.set(address, caster);
    }
    return caster;
  }
}
