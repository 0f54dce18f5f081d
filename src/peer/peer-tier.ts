import { type Call, remainingMs } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import { type Entry, NO_PAYLOAD } from '../core/entry.js';
import { decodeEntry, encodeEntry } from '../core/entry-format.js';
import { CacheError, toError } from '../core/errors.js';
import { MISS, type Outcome, type SkipReason, STORED, type WriteOutcome } from '../core/outcome.js';
import type { Tier, Write } from '../core/tier.js';
import { newerVersion } from '../core/version.js';
import { ENTRY_BYTES_MAX } from './limits.js';
import type { Member } from './member.js';
import type { PeerStore } from './peer-store.js';
import type { PeerTransport } from './transport.js';
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

/** Who owns what, and who is better not waited for. */
export interface PeerOwners {
  /** This node; the same object wherever it is an owner. */
  readonly self: Member;
  ownersOf(key: string): readonly Member[];
  isSuspect(id: string): boolean;
}

export interface PeerTierParts {
  readonly clock: Clock;
  readonly owners: PeerOwners;
  readonly store: PeerStore;
  readonly transport: PeerTransport;
  readonly guard: PeerGuard;
}

/** The places, in the question of a caller, of what one member is asked. */
type Shares = Map<Member, number[]>;

/**
 * The third level: the memory of all nodes of the city.
 *
 * Read: the own store first, when this node is an owner. What it does not have is asked of the other owners at once,
 * those that are suspect left out, and the first that has it is the answer. A miss means that an owner said so and
 * none had it; what no owner could answer has failed, and what there was nobody to ask for is skipped (`no-owner`).
 *
 * Write: to all owners at once. The answer is
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
  #closed = false;

  constructor(parts: PeerTierParts) {
    this.#parts = parts;
  }

  async read(keys: readonly string[], call: Call): Promise<readonly Outcome[]> {
    const refused = this.#refusal(call);
    if (refused !== undefined) return keys.map(() => refused);
    const answers: (Outcome | undefined)[] = new Array(keys.length).fill(undefined);
    const shares: Shares = new Map();
    keys.forEach((key, i) => {
      answers[i] = this.#readHere(key, i, shares);
    });
    if (shares.size > 0) await this.#readThere(keys, answers, shares, call);
    return answers.map((answer) => answer ?? { kind: 'skipped', why: 'no-owner' });
  }

  async write(writes: readonly Write[], call: Call): Promise<readonly WriteOutcome[]> {
    const refused = this.#refusal(call);
    if (refused !== undefined) return writes.map(() => refused);
    const { owners, store } = this.#parts;
    const encoded = writes.map(encodeWrite);
    const told: WriteOutcome[][] = writes.map(() => []);
    const shares: Shares = new Map();
    const alsoTold: Shares = new Map();
    writes.forEach(({ key }, place) => {
      const { bytes, mode } = encoded[place] as EncodedWrite;
      const all = owners.ownersOf(key);
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
    return told.map((outcomes, i) => (encoded[i] as EncodedWrite).tooLarge ?? resultOf(outcomes));
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #refusal(call: Call): { kind: 'failed'; error: Error } | { kind: 'skipped'; why: SkipReason } | undefined {
    if (this.#closed) return { kind: 'failed', error: new CacheError('closed', 'the peer level is closed') };
    return remainingMs(this.#parts.clock, call) <= 0 ? { kind: 'skipped', why: 'no-time' } : undefined;
  }

  /** What the own store has of a key; if nothing, whom to ask for it is added to `shares`. */
  #readHere(key: string, place: number, shares: Shares): Outcome | undefined {
    const { owners, store } = this.#parts;
    const all = owners.ownersOf(key);
    const isOwner = all.includes(owners.self);
    if (isOwner) {
      const bytes = store.read(key);
      if (bytes !== undefined) return { kind: 'found', entry: decodeEntry(bytes) };
    }
    for (const owner of all) {
      if (owner !== owners.self && !owners.isSuspect(owner.id)) addTo(shares, owner, place);
    }
    return isOwner ? MISS : undefined;
  }

  /** Asks all at once, and waits until every key is found or all its owners have answered. */
  #readThere(keys: readonly string[], answers: (Outcome | undefined)[], shares: Shares, call: Call): Promise<void> {
    const waiting: number[] = new Array(keys.length).fill(0);
    for (const places of shares.values()) for (const place of places) waiting[place] = (waiting[place] ?? 0) + 1;
    let open = waiting.filter((count) => count > 0).length;
    return new Promise((resolve) => {
      const take = (place: number, outcome: Outcome) => {
        if (waiting[place] === 0) return;
        answers[place] = better(answers[place], outcome);
        waiting[place] = outcome.kind === 'found' ? 0 : (waiting[place] as number) - 1;
        if (waiting[place] === 0) open -= 1;
      };
      for (const [owner, places] of shares) {
        const wanted = places.map((place) => keys[place] as string);
        void this.#readFrom(owner, wanted, call).then((outcomes) => {
          places.forEach((place, i) => {
            take(place, outcomes[i] as Outcome);
          });
          if (open === 0) resolve();
        });
      }
    });
  }

  #readFrom({ address }: Member, keys: readonly string[], call: Call): Promise<readonly Outcome[]> {
    const { transport } = this.#parts;
    return this.#guarded(address, keys.length, call, () => transport.read(address, keys, call));
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

function better(a: Outcome | undefined, b: Outcome): Outcome {
  return a === undefined || RANKS[b.kind] > RANKS[a.kind] ? b : a;
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
