import type { MemberRecord } from './member.js';
import { NEWS_MAX, RETELLINGS } from './membership-profile.js';

/**
 * What is new about members and is passed on: one piece for each member, the latest. Each is told a bounded number of
 * times, those told least first (SWIM, 4.1: infection-style dissemination), so that every message is small, and what
 * is new does not wait behind what everybody knows.
 */
export class News {
  readonly #pieces = new Map<string, { readonly record: MemberRecord; told: number }>();

  /** Nothing is left to tell. */
  get empty(): boolean {
    return this.#pieces.size === 0;
  }

  add(record: MemberRecord): void {
    // Last in the map: among those told equally often, the older come first.
    this.#pieces.delete(record.id);
    this.#pieces.set(record.id, { record, told: 0 });
  }

  drop(id: string): void {
    this.#pieces.delete(id);
  }

  /** The next pieces for one message. @param members how many there are: each piece is told more often among many */
  take(members: number): MemberRecord[] {
    const limit = RETELLINGS * Math.ceil(Math.log10(members + 1));
    const pieces = [...this.#pieces.values()].sort((a, b) => a.told - b.told).slice(0, NEWS_MAX);
    for (const piece of pieces) {
      piece.told += 1;
      if (piece.told >= limit) this.#pieces.delete(piece.record.id);
    }
    return pieces.map(({ record }) => record);
  }
}
