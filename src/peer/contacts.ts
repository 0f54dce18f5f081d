import type { Member } from './member.js';
import type { MemberTable } from './member-table.js';
import { CONTACTS_MAX } from './membership-profile.js';

interface Contact {
  /** Who answers here, when it goes by another address itself. */
  readonly alias: string | undefined;
}

/** Most addresses that are tried at a time. */
const TRIED_MAX = 16;

/** Addresses under which somebody may be found: seeds, and whatever discovery says. They lead to members. */
export class Contacts {
  readonly #self: string;
  readonly #seeds: readonly string[];
  readonly #contacts = new Map<string, Contact>();

  constructor(self: string, seeds: readonly string[]) {
    this.#self = self;
    this.#seeds = seeds;
    for (const seed of seeds) this.#add(seed);
  }

  /** What discovery says now; what it said before is forgotten. @returns those that are new, and nobody's yet */
  discover(addresses: readonly string[], table: MemberTable): readonly string[] {
    const named = new Set([...this.#seeds, ...addresses]);
    for (const address of this.#contacts.keys()) if (!named.has(address)) this.#contacts.delete(address);
    const added = addresses.filter((address) => this.#add(address));
    return added.filter((address) => this.#isOpen(address, table)).slice(0, TRIED_MAX);
  }

  /** Those that are nobody yet. */
  untried(table: MemberTable): readonly string[] {
    return [...this.#contacts.keys()].filter((address) => this.#isOpen(address, table)).slice(0, TRIED_MAX);
  }

  /** As `untried`; the next time others come first. */
  next(table: MemberTable): readonly string[] {
    const tried = this.untried(table);
    for (const address of tried) {
      const contact = this.#contacts.get(address) as Contact;
      this.#contacts.delete(address);
      this.#contacts.set(address, contact);
    }
    return tried;
  }

  answered(address: string, by: Member): void {
    const contact = this.#contacts.get(address);
    if (contact === undefined) return;
    this.#contacts.set(address, { ...contact, alias: by.address === address ? undefined : by.id });
  }

  failed(address: string): void {
    const contact = this.#contacts.get(address);
    if (contact !== undefined) this.#contacts.set(address, { ...contact, alias: undefined });
  }

  #isOpen(address: string, table: MemberTable): boolean {
    const alias = this.#contacts.get(address)?.alias;
    if (alias === table.self.id || table.at(address) !== undefined) return false;
    const other = alias === undefined ? undefined : table.get(alias);
    return other === undefined || table.at(other.address) === undefined;
  }

  #add(address: string): boolean {
    if (address === this.#self || this.#contacts.has(address) || this.#contacts.size >= CONTACTS_MAX) return false;
    this.#contacts.set(address, { alias: undefined });
    return true;
  }
}
