import type { Member, MemberInfo, MemberStatus } from './member.js';

/**
 * Who is there. Pure: a state and an event go in, a new state and what changed come out; `membership-driver.ts` asks
 * the others and feeds the answers in here.
 *
 * A member is who has answered us under the address by which it calls itself. What others say is only an address to
 * ask, so that a wrong word about somebody costs a request and nothing else.
 */
export interface Membership {
  readonly self: Member;
  /** Everybody that is asked, by address; this node is not among them. */
  readonly contacts: ReadonlyMap<string, Contact>;
}

/** Somebody that is asked now and then whether it is there. */
export interface Contact {
  readonly address: string;
  /** Named in the configuration; never forgotten. */
  readonly seed: boolean;
  /** Who answers here; undefined as long as nobody has, and for another name of a node that has one of its own. */
  readonly member: Member | undefined;
  readonly status: MemberStatus;
  /** Monotonic instant of the first failure since it last answered; of the first question, if it never has. */
  readonly failingSinceMs: number | undefined;
}

export type MembershipEvent =
  /** Whoever is at `address` answered: who it is, and the addresses that it knows. */
  | { readonly kind: 'answered'; readonly address: string; readonly node: Member; readonly known: readonly string[] }
  | { readonly kind: 'failed'; readonly address: string }
  /** Somebody at `address` asked us. */
  | { readonly kind: 'heard'; readonly address: string }
  /** Time has passed. */
  | { readonly kind: 'tick' };

/** `joined` and `left` change the placement; the others only whom to ask first. */
export interface MembershipChange {
  readonly kind: 'joined' | 'suspected' | 'recovered' | 'left';
  readonly member: Member;
}

export interface MembershipProfile {
  /** How long a member has failed when it loses its buckets. */
  readonly downAfterMs: number;
  /** How long one that is down is still asked, unless it is a seed. */
  readonly forgetAfterMs: number;
}

/**
 * 3 s: longer than a full collection of a large heap, so that a pause moves no buckets; the other owner answers
 * meanwhile. 10 minutes: a node that is restarted or moved is back by then, and finds us through its own seeds later.
 */
export const MEMBERSHIP_PROFILE: MembershipProfile = Object.freeze({ downAfterMs: 3_000, forgetAfterMs: 600_000 });

/** Most addresses that are kept; those heard of beyond it are not asked. */
export const CONTACTS_MAX = 256;

export interface Step {
  readonly state: Membership;
  readonly changes: readonly MembershipChange[];
}

export function startMembership(self: Member, seeds: readonly string[]): Membership {
  const contacts = new Map<string, Contact>();
  for (const address of seeds) if (address !== self.address) contacts.set(address, newContact(address, true));
  return { self, contacts };
}

export function stepMembership(
  state: Membership,
  event: MembershipEvent,
  nowMs: number,
  profile: MembershipProfile,
): Step {
  const draft: Draft = { self: state.self, contacts: new Map(state.contacts), changes: [] };
  switch (event.kind) {
    case 'answered':
      hear(draft, event.known);
      takeAnswer(draft, event.address, event.node);
      break;
    case 'failed':
      takeFailure(draft, event.address, nowMs, profile);
      break;
    case 'heard':
      hear(draft, [event.address]);
      break;
    case 'tick':
      for (const contact of state.contacts.values()) age(draft, contact, nowMs, profile);
      break;
  }
  return { state: { self: draft.self, contacts: draft.contacts }, changes: draft.changes };
}

/** Everybody who has answered and is not forgotten, this node left out. */
export function membersOf(state: Membership): MemberInfo[] {
  return [...state.contacts.values()].flatMap(({ member, status }) =>
    member === undefined ? [] : [{ ...member, status }],
  );
}

interface Draft {
  readonly self: Member;
  readonly contacts: Map<string, Contact>;
  readonly changes: MembershipChange[];
}

function newContact(address: string, seed: boolean): Contact {
  return { address, seed, member: undefined, status: 'down', failingSinceMs: undefined };
}

function hear(draft: Draft, addresses: readonly string[]): void {
  for (const address of addresses) {
    if (draft.contacts.size >= CONTACTS_MAX) return;
    if (address === draft.self.address || draft.contacts.has(address)) continue;
    draft.contacts.set(address, newContact(address, false));
  }
}

function takeAnswer(draft: Draft, address: string, node: Member): void {
  const contact = draft.contacts.get(address);
  if (contact === undefined) return;
  if (node.id === draft.self.id || node.address !== address) {
    // We ourselves, or somebody by another name: no member of its own. A seed stays, for it may lead to others later.
    lose(draft, contact);
    if (node.id !== draft.self.id) hear(draft, [node.address]);
    if (contact.seed) draft.contacts.set(address, newContact(address, true));
    else draft.contacts.delete(address);
    return;
  }
  for (const other of draft.contacts.values()) {
    if (other.address === address || other.member?.id !== node.id) continue;
    // It came back at another address before the old one was given up.
    lose(draft, other);
    draft.contacts.set(other.address, newContact(other.address, other.seed));
  }
  const same = contact.member?.id === node.id && contact.member.weight === node.weight;
  if (!same) lose(draft, contact);
  if (!same || contact.status === 'down') draft.changes.push({ kind: 'joined', member: node });
  else if (contact.status === 'suspect') draft.changes.push({ kind: 'recovered', member: node });
  draft.contacts.set(address, { ...contact, member: node, status: 'up', failingSinceMs: undefined });
}

function takeFailure(draft: Draft, address: string, nowMs: number, profile: MembershipProfile): void {
  const contact = draft.contacts.get(address);
  if (contact === undefined) return;
  const failing: Contact = { ...contact, failingSinceMs: contact.failingSinceMs ?? nowMs };
  if (contact.status === 'up' && contact.member !== undefined) {
    draft.changes.push({ kind: 'suspected', member: contact.member });
    draft.contacts.set(address, { ...failing, status: 'suspect' });
  } else {
    draft.contacts.set(address, failing);
  }
  age(draft, draft.contacts.get(address) ?? failing, nowMs, profile);
}

/** What has failed for long is down; what has been down for long is forgotten. */
function age(draft: Draft, contact: Contact, nowMs: number, profile: MembershipProfile): void {
  if (contact.failingSinceMs === undefined) return;
  const failingMs = nowMs - contact.failingSinceMs;
  if (failingMs >= profile.forgetAfterMs && !contact.seed) {
    lose(draft, contact);
    draft.contacts.delete(contact.address);
  } else if (contact.status === 'suspect' && failingMs >= profile.downAfterMs) {
    lose(draft, contact);
    draft.contacts.set(contact.address, { ...contact, status: 'down' });
  }
}

/** Says that the member of a contact has no buckets any more, if it had any. */
function lose(draft: Draft, { member, status }: Contact): void {
  if (member !== undefined && status !== 'down') draft.changes.push({ kind: 'left', member });
}
