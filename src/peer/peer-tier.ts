import { type Call, remainingMs } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { type Entry, mergeEntries, NO_PAYLOAD } from '../core/entry.js';
import { decodeEntry, encodeEntry } from '../core/entry-format.js';
import { CacheError, toError } from '../core/errors.js';
import { bucketOf } from '../core/key.js';
import { MISS, type Outcome, type SkipReason, STORED, type WriteOutcome } from '../core/outcome.js';
import type { Tier, Write } from '../core/tier.js';
import { newerVersion } from '../core/version.js';
import type { HotReads } from './hot-reads.js';
import { type Answer, KeyRead, type OutcomeTaker, Reading } from './key-read.js';
import { ENTRY_BYTES_MAX } from './limits.js';
import type { Member } from './member.js';
import type { PeerHedge } from './owner-reads.js';
import type { PeerStore } from './peer-store.js';
import type { PeerRead, PeerTransport, TakeRead } from './transport.js';
import { TurnReads } from './turn-reads.js';
import type { WireWrite } from './wire.js';

/**
 * Protection around one peer, by its address. May reject with `breaker-open` or `overloaded` without doing the work, and
 * with `deadline` before the call says so.
 */
export interface PeerGuard {
  /** @param keys how many the work asks for; 1 when left out */
  run<T>(address: string, call: Call, work: () => Promise<T>, keys?: number): Promise<T>;
  /** The peer answered a request, whoever waits for that. */
  heard(address: string): void;
  /** The peer left. */
  forget(address: string): void;
}

/** Who keeps what, now and while that changes. */
export interface PeerHolders extends PeerOwners {
  /** Of the placement. */
  readonly epoch: string;
  /** The owners of a bucket, and as long as a change has not settled those who held it before. */
  holdersOf(bucket: number): readonly Member[];
  /** Some hold it who do not own it. */
  isChanging(bucket: number): boolean;
  /** Whether what this node has of a bucket is not to be believed alone. */
  isDoubted(bucket: number): boolean;
  /** Resolves when this node knows what the answers of others said of another epoch, within the call. Never rejects. */
  learned(call: Call): Promise<void>;
}

/** Who owns what, and who is better not waited for. */
export interface PeerOwners {
  /** This node; the same object wherever it is an owner. */
  readonly self: Member;
  ownersOf(key: string): readonly Member[];
  isSuspect(id: string): boolean;
}

export interface PeerTierParts {
  readonly clock: Clock;
  readonly owners: PeerHolders;
  readonly store: PeerStore;
  readonly transport: PeerTransport;
  readonly guard: PeerGuard;
  /** Left out: all who hold a key are asked at once. */
  readonly hedge?: PeerHedge;
  /** Left out: nothing is hot here. */
  readonly hot?: HotReads;
}

/** The places, in the question of a caller, of what one member is asked. */
type Shares = Map<Member, number[]>;

/**
 * The third level: the memory of all nodes of the city.
 *
 * Read: the own store first, when this node is an owner. What it does not have is asked of the other owners, those that
 * are suspect left out, one after the other as `OwnerReads` says, and the first that has it is the answer. A miss means that an owner said so and
 * none had it; what no owner could answer has failed, and what there was nobody to ask for is skipped (`no-owner`).
 *
 * What a node has of a bucket that it was given a moment ago, or of which it may have missed writes, is doubted: it is
 * the answer only if all who hold the key answered and have it, and nobody is surer; then the newest is.
 *
 * Write: to all who hold the key at once; those too who turn out, by the answers, to hold it by now. The answer is
 * 1. `superseded`, if any owner has something newer: that one will win wherever the two meet;
 * 2. else `failed` or `skipped`, if any owner did not take it, though others may have: it still holds what is older, and
 *    whoever found that before the newer copy would serve it; so the write is to be sent again;
 * 3. else `stored`.
 * A suspect owner is told too, but waited for (`not-ready`) only when there is nobody else to wait for. It is not read
 * while it is suspect; a moment of older answers remains, between its return and the write that is sent again.
 */
export class PeerTier implements Tier {
  readonly level = 'peer';
  readonly #parts: PeerTierParts;
  readonly #turn: TurnReads;
  #closed = false;

  constructor(parts: PeerTierParts) {
    this.#parts = parts;
    const { clock, hedge = NO_HEDGE } = parts;
    this.#turn = new TurnReads({
      clock,
      hedge,
      ask: (member, keys, call, take) => this.#readFrom(member, keys, call, take),
    });
  }

  read(keys: readonly string[], call: Call): Promise<readonly Outcome[]> {
    return new Promise((resolve) => {
      this.#ask(keys, call, new Reading(keys.length, resolve));
    });
  }

  async write(writes: readonly Write[], call: Call): Promise<readonly WriteOutcome[]> {
    const refused = this.#refusal(call);
    if (refused !== undefined) return writes.map(() => refused);
    const { owners } = this.#parts;
    const encoded = writes.map(encodeWrite);
    const told: WriteOutcome[][] = writes.map(() => []);
    const knowing: Set<string>[] = writes.map(() => new Set());
    // A second time, if the first one's answers taught who else holds them; what changes meanwhile is the next call's.
    for (let round = 0; round < 2; round++) {
      const { epoch } = owners;
      await this.#tellAll(writes, encoded, told, knowing, call);
      await owners.learned(call);
      if (owners.epoch === epoch) break;
    }
    return told.map((outcomes, i) => (encoded[i] as EncodedWrite).tooLarge ?? resultOf(outcomes));
  }

  /** Tells every write to those who hold its key and do not know of it; what they said is added to `told`. */
  async #tellAll(
    writes: readonly Write[],
    encoded: readonly EncodedWrite[],
    told: WriteOutcome[][],
    knowing: readonly Set<string>[],
    call: Call,
  ): Promise<void> {
    const { owners, store } = this.#parts;
    const shares: Shares = new Map();
    const alsoTold: Shares = new Map();
    writes.forEach(({ key }, place) => {
      const { bytes, mode } = encoded[place] as EncodedWrite;
      const know = knowing[place] as Set<string>;
      const all = owners.holdersOf(bucketOf(key)).filter(({ id }) => !know.has(id));
      for (const { id } of all) know.add(id);
      const isOwner = all.includes(owners.self);
      if (isOwner) told[place]?.push(store.write(key, bytes, mode));
      const others = all.filter((owner) => owner !== owners.self);
      const waitForAll = !isOwner && others.every(({ id }) => owners.isSuspect(id));
      for (const owner of others) addTo(waitForAll || !owners.isSuspect(owner.id) ? shares : alsoTold, owner, place);
    });
    for (const [owner, places] of alsoTold) {
      void this.#writeTo(owner, places, encoded, call);
      for (const place of places) told[place]?.push(NOT_AWAITED);
    }
    await Promise.all(
      [...shares].map(async ([owner, places]) => {
        const outcomes = await this.#writeTo(owner, places, encoded, call);
        places.forEach((place, i) => {
          told[place]?.push(outcomes[i] as WriteOutcome);
        });
      }),
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #refusal(call: Call): { kind: 'failed'; error: Error } | { kind: 'skipped'; why: SkipReason } | undefined {
    if (this.#closed) return { kind: 'failed', error: new CacheError('closed', 'the peer level is closed') };
    return remainingMs(this.#parts.clock, call) <= 0 ? { kind: 'skipped', why: 'no-time' } : undefined;
  }

  #ask(keys: readonly string[], call: Call, reader: OutcomeTaker): void {
    const refused = this.#refusal(call);
    for (let at = 0; at < keys.length; at++) {
      if (refused !== undefined) {
        reader.take(refused, at);
        continue;
      }
      const answer = new ReadAnswer();
      const one = new KeyRead(keys[at] as string, answer, reader, at);
      this.#readHere(one, answer);
      if (answer.isFound || one.others.length === 0) one.end();
      else this.#turn.ask(one, call);
    }
  }

  /** What the own store has of a key; if that is not enough, whom to ask for it. */
  #readHere(one: KeyRead, answer: ReadAnswer): void {
    const { owners, store, hedge, hot } = this.#parts;
    const { key } = one;
    const bucket = bucketOf(key);
    const all = owners.holdersOf(bucket);
    const isOwner = all.includes(owners.self);
    let isDoubted = false;
    if (isOwner) {
      const bytes = store.read(key);
      isDoubted = owners.isDoubted(bucket);
      if (bytes === undefined) answer.take(MISS);
      else if (isDoubted) answer.take({ kind: 'doubted', entry: decodeEntry(bytes) });
      else answer.take({ kind: 'found', entry: decodeEntry(bytes), ...(hot?.note(key) === true && HOT) });
      if (answer.isFound) return;
    }
    one.others = all;
    // Mostly it is all of them: then nothing is made anew.
    if (isOwner || all.some(({ id }) => owners.isSuspect(id))) {
      one.others = all.filter((owner) => owner !== owners.self && !owners.isSuspect(owner.id));
      answer.isPartial = one.others.length < all.length - (isOwner ? 1 : 0);
    }
    // New owners have little yet: with them, most keys would take two questions one after the other.
    const isChanging = isDoubted || owners.isChanging(bucket);
    answer.isLendable = !isChanging && !answer.isPartial;
    one.atOnce = hedge === undefined || isChanging;
  }

  #readFrom({ address }: Member, keys: readonly string[], call: Call, take: TakeRead): Promise<readonly PeerRead[]> {
    const { transport } = this.#parts;
    return this.#guarded(address, keys.length, call, () => transport.read(address, keys, call, take));
  }

  #writeTo(
    { address }: Member,
    places: readonly number[],
    encoded: readonly WireWrite[],
    call: Call,
  ): Promise<readonly WriteOutcome[]> {
    const writes = places.map((place) => encoded[place] as WireWrite);
    return this.#guarded(address, writes.length, call, () => this.#parts.transport.write(address, writes, call));
  }

  /** The outcomes of some work with a peer, never a rejection. When all of it failed, the guard gets to know. */
  async #guarded<O extends { readonly kind: string }>(
    address: string,
    count: number,
    call: Call,
    work: () => Promise<readonly O[]>,
  ): Promise<readonly (O | Unanswered)[]> {
    const asked = async () => {
      const outcomes = await work();
      const first = outcomes[0];
      if (isFailed(first) && outcomes.every(isFailed)) throw first.error;
      return outcomes;
    };
    try {
      return await this.#parts.guard.run(address, call, asked, count);
    } catch (thrown) {
      const answer = unanswered(toError(thrown));
      return new Array<Unanswered>(count).fill(answer);
    }
  }
}

const HOT = Object.freeze({ hot: true });

/** Never asked: everybody is asked at once. */
const NO_HEDGE: PeerHedge = { delayMs: () => 0, grant: () => 0, won() {}, note() {}, forget() {} };

type Unanswered =
  | { readonly kind: 'failed'; readonly error: Error }
  | { readonly kind: 'skipped'; readonly why: SkipReason };

function unanswered(error: Error): Unanswered {
  if (error instanceof CacheError && (error.code === 'breaker-open' || error.code === 'overloaded')) {
    return { kind: 'skipped', why: error.code };
  }
  return { kind: 'failed', error };
}

function isFailed(outcome: { readonly kind: string } | undefined): outcome is { kind: 'failed'; error: Error } {
  return outcome?.kind === 'failed';
}

function addTo(shares: Shares, owner: Member, place: number): void {
  const places = shares.get(owner);
  if (places === undefined) shares.set(owner, [place]);
  else places.push(place);
}

/** Whether a suspect owner took a write is not waited for, and so not known. */
const NOT_AWAITED: WriteOutcome = Object.freeze({ kind: 'skipped', why: 'not-ready' });

const RANKS: Readonly<Record<Outcome['kind'], number>> = { found: 3, miss: 2, failed: 1, skipped: 0 };

/** What those who hold a key have said of it so far. */
class ReadAnswer implements Answer {
  /** Somebody who holds it was not asked. */
  isPartial = false;
  /** All who hold it are well and stay, as far as is known here: one who is sure has all that was acknowledged. */
  isLendable = false;
  #said: Outcome | undefined;
  #doubted: Entry | undefined;

  get isFound(): boolean {
    return this.#said?.kind === 'found';
  }

  take(read: PeerRead): void {
    if (read.kind === 'doubted') {
      this.#doubted = mergeEntries(this.#doubted, read.entry, 'set').entry;
    } else if (this.#said === undefined || RANKS[read.kind] > RANKS[this.#said.kind]) {
      this.#said = read;
    }
  }

  get outcome(): Outcome {
    if (this.#said?.kind === 'found' && this.#said.hot === true) return { ...this.#said, lent: this.isLendable };
    if (this.#said !== undefined) return this.#said;
    if (this.#doubted === undefined) return { kind: 'skipped', why: 'no-owner' };
    return this.isPartial ? { kind: 'skipped', why: 'not-ready' } : { kind: 'found', entry: this.#doubted };
  }
}

/** What a write to several owners came to; the rule is with the class. */
function resultOf(outcomes: readonly WriteOutcome[]): WriteOutcome {
  if (outcomes.length === 0) return { kind: 'skipped', why: 'no-owner' };
  const superseded = outcomes.filter((outcome) => outcome.kind === 'superseded');
  if (superseded.length > 0) return superseded.reduce(newerOf);
  const errors = outcomes.filter(isFailed).map(({ error }) => error);
  if (errors.length > 0) return { kind: 'failed', error: joined(errors) };
  return outcomes.find(({ kind }) => kind === 'skipped') ?? STORED;
}

type Superseded = WriteOutcome & { readonly kind: 'superseded' };

function newerOf(a: Superseded, b: Superseded): Superseded {
  if (a.by === undefined) return b;
  return b.by === undefined ? a : { kind: 'superseded', by: newerVersion(a.by, b.by) };
}

function joined(errors: readonly Error[]): Error {
  const first = errors[0] as Error;
  if (errors.length === 1) return first;
  const code = first instanceof CacheError ? first.code : 'level-failed';
  return new CacheError(code, errors.map(({ message }) => message).join('; '), { cause: first });
}

interface EncodedWrite extends WireWrite {
  /** What the caller is told, whatever the owners say. */
  readonly tooLarge?: WriteOutcome;
}

/**
 * What travels of a write. Of an entry that is too large it is an empty one, dead on arrival, of the same version: so
 * that the owners at least give up the older one.
 */
function encodeWrite({ key, entry, mode }: Write): EncodedWrite {
  const bytes = encodeEntry(entry);
  if (bytes.length <= ENTRY_BYTES_MAX) return { key, mode, bytes };
  const error = new CacheError(
    'invalid-value',
    `the entry of ${JSON.stringify(key.slice(0, 80))} has ${bytes.length} bytes: peers keep at most ${ENTRY_BYTES_MAX} of one. Split it, or keep it out of the cache`,
    { field: 'value' },
  );
  return { key, mode, bytes: encodeEntry(emptied(entry)), tooLarge: { kind: 'failed', error } };
}

function emptied(entry: Entry): Entry {
  return {
    ...entry,
    kind: 'absent',
    payload: NO_PAYLOAD,
    freshUntilMs: 0,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
  };
}
