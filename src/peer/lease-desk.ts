import type { Clock } from '../core/clock.js';
import { type Entry, freshness, NO_TAGS } from '../core/entry.js';
import { decodeEntry } from '../core/entry-format.js';
import type { Floors } from '../core/floors.js';
import type { Hlc, HybridClock } from '../core/hlc.js';
import type { LeaseTable, LeaseWish } from './lease-table.js';
import type { LeaseQuestion, LeaseReply } from './lease-wire.js';
import type { PeerStore } from './peer-store.js';

export interface LeaseDeskParts {
  readonly clock: Pick<Clock, 'monotonicMs' | 'wallMs'>;
  readonly hlc: Pick<HybridClock, 'early'>;
  readonly floors: Pick<Floors, 'passes'>;
  readonly store: PeerStore;
  readonly table: LeaseTable;
  /** Tells those who waited for the lease on a key that it is over. */
  readonly tell: (addresses: readonly string[], key: string) => void;
}

const NOTED: LeaseReply = Object.freeze({ kind: 'noted' });

/**
 * The side of an owner: grants leases by its table and by what its store has, and ends them with what is written there.
 * Write through `store`, or a lease outlives what should have ended it.
 */
export class LeaseDesk {
  readonly store: PeerStore;
  readonly #parts: LeaseDeskParts;

  constructor(parts: LeaseDeskParts) {
    this.#parts = parts;
    const { store } = parts;
    this.store = {
      read: (key) => store.read(key),
      find: (key) => store.find(key),
      write: (key, bytes, mode) => {
        const outcome = store.write(key, bytes, mode);
        if (parts.table.size === 0) return outcome;
        if (outcome.kind === 'stored') this.#tell(key, parts.table.end(key));
        else if (outcome.kind === 'superseded' && mode === 'fill') this.#takeRefused(key, bytes);
        return outcome;
      },
      get sizeBytes() {
        return store.sizeBytes;
      },
      get entries() {
        return store.entries;
      },
    };
  }

  answer(question: Exclude<LeaseQuestion, { readonly verb: 'ended' }>): LeaseReply {
    const { table, clock } = this.#parts;
    switch (question.verb) {
      case 'acquire':
        return this.#acquire(question);
      case 'renew':
        table.renew(question.key, question.token, clock.monotonicMs());
        return NOTED;
      case 'release':
        this.#tell(question.key, table.release(question.key, question.token));
        return NOTED;
    }
  }

  #acquire(wish: LeaseWish): LeaseReply {
    const { table, clock, hlc, floors } = this.#parts;
    const grantedAt = table.grantedAt(wish.key);
    if (grantedAt !== undefined && !floors.passes(wish.key, { fillStart: grantedAt, tags: NO_TAGS })) {
      // What its holder loads may be outdated.
      this.#tell(wish.key, table.end(wish.key));
    }
    return table.acquire(wish, this.#filledAt(wish.key), hlc.early(), clock.monotonicMs());
  }

  /** When the entry was filled that a reader would take for an answer. */
  #filledAt(key: string): Hlc | undefined {
    const { store, clock, floors } = this.#parts;
    const entry = entryOf(store.read(key));
    if (entry === undefined || entry.kind === 'tombstone') return undefined;
    const isAnswer = freshness(entry, clock.wallMs()) === 'fresh' && floors.passes(key, entry);
    return isAnswer ? entry.fillStart : undefined;
  }

  #takeRefused(key: string, bytes: Uint8Array): void {
    const { table } = this.#parts;
    if (table.grantedAt(key) === undefined) return;
    const entry = entryOf(bytes);
    if (entry !== undefined) this.#tell(key, table.endRefused(key, entry.fillStart));
  }

  #tell(key: string, addresses: readonly string[]): void {
    if (addresses.length > 0) this.#parts.tell(addresses, key);
  }
}

function entryOf(bytes: Uint8Array | undefined): Entry | undefined {
  return bytes === undefined ? undefined : decodeEntry(bytes);
}
