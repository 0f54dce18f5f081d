import type { CacheEvents } from './cache.js';
import type { Emitter } from './emitter.js';
import type { Change } from './feed.js';
import type { FeedLeases } from './feed-lease.js';
import { concernedBy, type Floor, type Floors } from './floors.js';
import { compileGlob } from './glob.js';
import type { HybridClock } from './hlc.js';
import { partitionOf } from './key.js';
import type { LocalTier } from './local.js';
import type { SingleFlight } from './single-flight.js';
import { compareVersions, encodeVersion, type Version } from './version.js';

export interface FeedIntakeParts {
  /** Of this node. */
  readonly origin: number;
  readonly local: LocalTier;
  readonly floors: Floors;
  readonly flights: Pick<SingleFlight<unknown>, 'disarm' | 'disarmAll'>;
  readonly events: Emitter<CacheEvents>;
  readonly leases: FeedLeases;
  readonly hlc: HybridClock;
}

/**
 * What changes elsewhere mean here. The race that it closes:
 *
 *   1. here:  a flight asks L2, which answers with the old entry; the answer is on its way
 *   2. there: a set is stored in L2 and acknowledged; the change is published
 *   3. here:  the change arrives: the flight is disarmed, and the copy in memory (there is none yet) dropped
 *   4. here:  the answer arrives: its callers, who asked before the set was acknowledged, get it; nothing is kept
 *
 * When 4 comes before 3, the copy is kept at 4 and dropped at 3.
 */
export class FeedIntake {
  readonly #parts: FeedIntakeParts;

  constructor(parts: FeedIntakeParts) {
    this.#parts = parts;
  }

  take(change: Change): void {
    switch (change.kind) {
      case 'entry':
        this.#takeEntry(change.key, change.version, change.deleted);
        break;
      case 'floor': {
        const { floors, flights, events } = this.#parts;
        const floor = readable(change.floor);
        this.#parts.hlc.follow(floor.hlc);
        if (!floors.raise(floor)) break;
        flights.disarmAll(concernedBy(floor));
        events.emit('invalidated', { scope: floor.scope, subject: floor.subject });
        break;
      }
      case 'known':
        this.#parts.leases.renew(change.partition, change.sinceMs);
        break;
      case 'gap': {
        const { local, flights, events } = this.#parts;
        const lost = change.partition;
        local.doubt(lost);
        flights.disarmAll(lost === undefined ? undefined : (key) => partitionOf(key) === lost);
        events.emit('changes-missed', { partition: lost });
        break;
      }
    }
  }

  #takeEntry(key: string, version: Version, deleted: boolean): void {
    const { local, flights, origin } = this.#parts;
    const held = local.find(key)?.entry;
    const order = deleted || held === undefined ? -1 : compareVersions(held.version, version);
    // Our own write coming back, or older data than what is here: nothing to forget. What somebody read here before the
    // change was heard is news all the same to who goes by the changes.
    if (order === 0 && version.origin !== origin) this.#announce(key, version);
    if (order >= 0) return;
    // A delete that finds a tombstone may be our own or a later one, and a load begun in between must not be kept.
    flights.disarm(key);
    if (deleted && held?.kind === 'tombstone') return;
    local.drop(key);
    this.#announce(key, version);
  }

  #announce(key: string, version: Version): void {
    const { events } = this.#parts;
    if (events.has('changed')) events.emit('changed', { key, version: encodeVersion(version), by: 'elsewhere' });
  }
}

/** A pattern that this release cannot read is taken for everything: a floor may cover too much, never too little. */
function readable(floor: Floor): Floor {
  if (floor.scope !== 'pattern') return floor;
  try {
    compileGlob(floor.subject);
    return floor;
  } catch {
    return { scope: 'all', subject: '', hlc: floor.hlc };
  }
}
