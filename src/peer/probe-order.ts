import type { Chance } from '../core/chance.js';
import type { MemberRecord } from './member.js';

/**
 * Whom to probe next: everybody once in each round, in an order drawn anew for every round (SWIM, 4.3), so that
 * nobody goes unnoticed for longer than two rounds.
 */
export class ProbeOrder {
  readonly #chance: Chance;
  #round: string[] = [];

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  next(members: readonly MemberRecord[]): MemberRecord | undefined {
    const byId = new Map(members.map((member) => [member.id, member]));
    for (;;) {
      const id = this.#round.pop();
      if (id === undefined) break;
      const member = byId.get(id);
      if (member !== undefined) return member;
    }
    const order = pick(members, members.length, this.#chance);
    this.#round = order.slice(1).map(({ id }) => id);
    return order[0];
  }
}

/** `count` of the items, each set of them as likely as another, in a random order (Fisher and Yates). */
export function pick<T>(items: readonly T[], count: number, chance: Chance): T[] {
  const left = [...items];
  const picked: T[] = [];
  while (picked.length < count && left.length > 0) {
    const at = Math.floor(chance.next() * left.length);
    picked.push(left[at] as T);
    left[at] = left[left.length - 1] as T;
    left.pop();
  }
  return picked;
}
