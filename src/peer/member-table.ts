import { hashKey } from '../core/key.js';
import { isThere, type Member, type MemberRecord } from './member.js';
import { MEMBERS_MAX, type MembershipProfile, REMEMBERED_MS } from './membership-profile.js';
import { News } from './news.js';
import { confirm, downAtMs, type Suspicion, suspect } from './suspicion.js';

/** `joined` and `left` say who is there; `changed` that a member says something new of itself. */
export type MemberChange =
  | { readonly kind: 'joined' | 'suspected' | 'recovered' | 'left' | 'changed'; readonly member: MemberRecord }
  /** Somebody accused this node, which said that it is well. */
  | { readonly kind: 'refuted' }
  /** Somebody had declared this node down: for a while writes passed it by. */
  | { readonly kind: 'buried' }
  /** Another node goes by our id. */
  | { readonly kind: 'twin'; readonly address: string };

/** What a member may say of itself anew. */
export type Saying = Partial<Pick<MemberRecord, 'leaving' | 'degraded' | 'settled' | 'buried'>>;

/**
 * How somebody is heard of. `direct`: from itself, in answer to a question of ours. `news`: passed on. `table`: in
 * somebody's list of all members, where being down may be an old opinion.
 */
export type Hearing = 'direct' | 'news' | 'table';

interface Row {
  readonly record: MemberRecord;
  readonly suspicion: Suspicion | undefined;
  /** When it went down or left. */
  readonly goneAtMs: number;
}

/**
 * What is known of every member, and the rules by which words about them are weighed (SWIM, 4.2): the higher
 * incarnation counts, which only the member itself can raise; of equal ones down counts more than suspect, and that
 * more than up. So words may come late, twice or in any order.
 */
export class MemberTable {
  readonly news = new News();
  readonly #profile: MembershipProfile;
  readonly #rows = new Map<string, Row>();
  #self: MemberRecord;
  #departed = false;
  // What is made of the rows when it is asked for, until they change.
  #digest: string | undefined;
  #there: readonly MemberRecord[] | undefined;
  #changes: MemberChange[] = [];

  constructor(self: MemberRecord, profile: MembershipProfile) {
    this.#self = self;
    this.#profile = profile;
    this.news.add(self);
  }

  get self(): MemberRecord {
    return this.#self;
  }

  /** Everybody else that is known or remembered. */
  others(): MemberRecord[] {
    return [...this.#rows.values()].map(({ record }) => record);
  }

  there(): readonly MemberRecord[] {
    this.#there ??= this.others().filter(isThere);
    return this.#there;
  }

  get(id: string): MemberRecord | undefined {
    return this.#rows.get(id)?.record;
  }

  /** Who is there under an address. */
  at(address: string): MemberRecord | undefined {
    for (const { record } of this.#rows.values()) {
      if (record.address === address && isThere(record)) return record;
    }
    return undefined;
  }

  /** What all agree upon who know the same of who is there. Suspicion is left out: it comes and goes. */
  digest(): string {
    this.#digest ??= this.#makeDigest();
    return this.#digest;
  }

  #makeDigest(): string {
    const words = [...this.there(), this.#self].map(({ id, incarnation }) => `${id}.${incarnation}`);
    const text = words.sort().join(' ');
    return (hashKey(text) * 2 ** 20 + (hashKey(`${text}/`) & 0xfffff)).toString(16).padStart(13, '0');
  }

  takeChanges(): readonly MemberChange[] {
    const changes = this.#changes;
    this.#changes = [];
    return changes;
  }

  /** Says something new of this node itself. */
  announce(change: Saying): void {
    this.#become({ ...this.#self, ...change, incarnation: this.#self.incarnation + 1 });
  }

  /** This node goes: from now on nothing that is said of it is refuted. */
  depart(): MemberRecord {
    this.#departed = true;
    this.#become({ ...this.#self, status: 'left', incarnation: this.#self.incarnation + 1 });
    return this.#self;
  }

  /** @param by who says so */
  hear(record: MemberRecord, how: Hearing, by: string, nowMs: number): void {
    if (record.id === this.#self.id) {
      this.#hearOfSelf(record);
      return;
    }
    const row = this.#rows.get(record.id);
    if (row === undefined) {
      this.#hearOfStranger(record, how, by, nowMs);
      return;
    }
    this.#keepBuried(row, record);
    const known = (this.#rows.get(record.id) as Row).record;
    if (record.incarnation > known.incarnation && isThere(record)) {
      if (this.#renew(record, how, nowMs) && record.status === 'suspect')
        this.#suspect(record.id, record.accuser ?? by, nowMs);
    } else if (record.incarnation >= known.incarnation) {
      this.#hearWorse(record, how, by, nowMs);
    }
  }

  /** This node could not reach a member whose incarnation it knew. */
  accuse(id: string, incarnation: number, nowMs: number): void {
    const known = this.get(id);
    if (known === undefined || known.incarnation !== incarnation || !isThere(known)) return;
    this.#suspect(id, this.#self.id, nowMs);
  }

  /** Takes for down who has been suspect for long enough, and forgets who has been gone for long. */
  expire(nowMs: number): void {
    for (const [id, { record, suspicion, goneAtMs }] of this.#rows) {
      if (suspicion !== undefined && downAtMs(suspicion) <= nowMs) this.#bury(id, 'down', nowMs);
      else if (!isThere(record) && nowMs - goneAtMs >= REMEMBERED_MS) this.#rows.delete(id);
    }
  }

  /** When `expire` has something to do about a suspect. */
  nextDownAtMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { suspicion } of this.#rows.values()) {
      if (suspicion !== undefined) next = Math.min(next, downAtMs(suspicion));
    }
    return next;
  }

  #hearOfSelf(record: MemberRecord): void {
    const self = this.#self;
    if (record.address !== self.address && isThere(record)) {
      this.#changes.push({ kind: 'twin', address: record.address });
      return;
    }
    if (this.#departed) return;
    const buried = Math.max(record.buried, record.status === 'down' ? record.incarnation : 0);
    const isNews = buried > self.buried;
    const isAccused = record.status !== 'up' && record.incarnation >= self.incarnation;
    if (!isNews && !isAccused && record.incarnation <= self.incarnation) return;
    this.#self = { ...self, incarnation: Math.max(self.incarnation, record.incarnation) };
    this.announce({ buried: Math.max(buried, self.buried) });
    if (isNews) this.#changes.push({ kind: 'buried' });
    if (isAccused) this.#changes.push({ kind: 'refuted' });
  }

  #hearOfStranger(record: MemberRecord, how: Hearing, by: string, nowMs: number): void {
    if (!this.#makeRoom()) return;
    if (!isThere(record)) {
      this.#keep({ record, suspicion: undefined, goneAtMs: nowMs });
      return;
    }
    if (!this.#renew(record, how, nowMs)) return;
    if (record.status === 'suspect') this.#suspect(record.id, record.accuser ?? by, nowMs);
  }

  /** The member is there, in a new incarnation; unless another has its place. */
  #renew(record: MemberRecord, how: Hearing, nowMs: number): boolean {
    const holder = this.at(record.address);
    if (holder !== undefined && holder.id !== record.id) {
      // Two nodes at one address: a restart. Who answers there is right; of two that are only heard of, the later one.
      if (how !== 'direct' && record.incarnation < holder.incarnation) return false;
      this.#bury(holder.id, 'down', nowMs);
    }
    const before = this.#rows.get(record.id)?.record;
    const buried = Math.max(record.buried, before?.buried ?? 0);
    const { accuser: _, ...rest } = record;
    const renewed: MemberRecord = { ...rest, status: 'up', buried };
    this.#keep({ record: renewed, suspicion: undefined, goneAtMs: 0 });
    this.news.add(renewed);
    if (before !== undefined && isThere(before) && !isSame(before, renewed)) {
      this.#changes.push({ kind: 'left', member: before }, { kind: 'joined', member: renewed });
    } else {
      const kind = before === undefined || !isThere(before) ? 'joined' : 'changed';
      this.#changes.push({
        kind: kind === 'changed' && before?.status === 'suspect' ? 'recovered' : kind,
        member: renewed,
      });
    }
    return true;
  }

  /** The same incarnation, or a later one of somebody who is not there. */
  #hearWorse(record: MemberRecord, how: Hearing, by: string, nowMs: number): void {
    const known = this.get(record.id) as MemberRecord;
    if (!isThere(known)) return;
    if (record.status === 'suspect') {
      this.#suspect(record.id, record.accuser ?? by, nowMs);
    } else if (record.status === 'left' || (record.status === 'down' && how === 'news')) {
      this.#bury(record.id, record.status, nowMs, record.incarnation);
    } else if (record.status === 'down') {
      // In a city that was cut in two, each half has the other down. They suspect each other, and refute.
      this.#suspect(record.id, by, nowMs);
    }
  }

  #suspect(id: string, accuser: string, nowMs: number): void {
    const { record, suspicion } = this.#rows.get(id) as Row;
    if (suspicion !== undefined) {
      const confirmed = confirm(suspicion, accuser);
      if (confirmed === suspicion) return;
      this.#keep({ record, suspicion: confirmed, goneAtMs: 0 });
      this.news.add({ ...record, accuser });
      return;
    }
    const accused: MemberRecord = { ...record, status: 'suspect', accuser };
    const opened = suspect(accuser, this.there().length + 1, nowMs, this.#profile);
    this.#keep({ record: accused, suspicion: opened, goneAtMs: 0 });
    this.news.add(accused);
    this.#changes.push({ kind: 'suspected', member: accused });
  }

  #bury(id: string, status: 'down' | 'left', nowMs: number, incarnation = 0): void {
    const { accuser: _, ...known } = (this.#rows.get(id) as Row).record;
    const latest = Math.max(incarnation, known.incarnation);
    const buried = status === 'down' ? Math.max(known.buried, latest) : known.buried;
    const gone: MemberRecord = { ...known, status, incarnation: latest, buried };
    this.#keep({ record: gone, suspicion: undefined, goneAtMs: nowMs });
    this.news.add(gone);
    this.#changes.push({ kind: 'left', member: gone });
  }

  #keepBuried(row: Row, heard: MemberRecord): void {
    const buried = Math.max(heard.buried, heard.status === 'down' ? heard.incarnation : 0);
    if (buried > row.record.buried) {
      this.#keep({ ...row, record: { ...row.record, buried } });
    }
  }

  #become(self: MemberRecord): void {
    this.#self = self;
    this.#digest = undefined;
    this.news.add(self);
  }

  #keep(row: Row): void {
    this.#rows.set(row.record.id, row);
    this.#digest = undefined;
    this.#there = undefined;
  }

  /** Whether one more fits; who has been gone longest makes room. */
  #makeRoom(): boolean {
    if (this.#rows.size < MEMBERS_MAX - 1) return true;
    let oldest: string | undefined;
    let goneAtMs = Number.POSITIVE_INFINITY;
    for (const [id, row] of this.#rows) {
      if (isThere(row.record) || row.goneAtMs >= goneAtMs) continue;
      oldest = id;
      goneAtMs = row.goneAtMs;
    }
    if (oldest === undefined) return false;
    this.news.drop(oldest);
    return this.#rows.delete(oldest);
  }
}

/** Whether two records are of one node in one place, so that nothing has to move. */
function isSame(a: Member, b: Member): boolean {
  return a.address === b.address && a.weight === b.weight && a.host === b.host && a.rack === b.rack;
}
