import { type Entry, freshness } from './entry.js';
import type { Floors } from './floors.js';
import { compareHlc, HLC_ZERO, type Hlc, laterHlc } from './hlc.js';
import type { Found, Level, Outcome } from './outcome.js';
import { OWNER_LEASE_MS } from './owner-lease.js';
import type { Recorder } from './recorder.js';
import type { Rung } from './tier.js';
import { compareVersions } from './version.js';

/** What the ladder came back with for one key. */
export interface Answer {
  /** What to serve: a value, an absent entry, or undefined when nothing was found. */
  readonly entry: Entry | undefined;
  /** Who answered; undefined when nobody did. */
  readonly level: Level | undefined;
  /** The decoded value, when it is that of this process's memory (whose entries have no payload). */
  readonly value: unknown;
  /** The level has the very entry that is held here; `value` is that of the copy. */
  readonly same: boolean;
  /** Whoever answered is asked for it so often that this process's memory should keep it. */
  readonly hot: boolean;
  /** Somebody who may know better could not be asked. */
  readonly unsure: boolean;
  /** Monotonic instant before which whoever answered was asked. */
  readonly askedAtMs: number;
  /** Monotonic instant until which it may be the answer again, marked stale as it is; 0 when it may not. */
  readonly lentUntilMs: number;
  /** Past its TTL or perhaps outdated, served because nobody who could tell answers, or while a new one is fetched. */
  readonly stale: boolean;
  /** A stale copy was served without asking the source: ask it behind the caller's back. */
  readonly revalidate: boolean;
  /** The delete that was met, if any: what was filled at or before its fence is over. */
  readonly tombstone: Entry | undefined;
  /** The rungs that lack it, and so may be given it: by their own word, or because nearer ones know it as deleted. */
  readonly missed: readonly Rung[];
  /** Why rungs could not answer, in order; the last is the source's when it failed. */
  readonly errors: readonly { readonly level: Level; readonly error: Error }[];
}

/** What the caller holds of a key already: a copy past its TTL, or a tombstone. */
export interface Held {
  readonly entry: Entry;
  readonly level: Level;
  /** Decoded, when it is this process's copy. */
  readonly value?: unknown;
  /** It may be outdated: whoever can tell is asked first. */
  readonly doubted?: boolean;
  /** What it takes where it is held. */
  readonly sizeBytes?: number;
  /** The level has confirmed the copy, instead of sending its own. */
  readonly same?: boolean;
  readonly hot?: boolean;
  readonly lent?: boolean;
}

export interface LadderParts {
  readonly floors: Floors;
  readonly recorder: Recorder & { missedAt(level: Level): void };
  monotonicMs(): number;
  wallMs(): number;
  /** A delete was met: what is asked of the source from now on is dated after it. */
  follow(fence: Hlc): void;
}

const NO_RUNGS: readonly Rung[] = Object.freeze([]);
const NO_ERRORS: Answer['errors'] = Object.freeze([]);

/** Where one key stands while the rungs are asked; in the end, what is answered. */
export class Climb implements Answer {
  readonly key: string;
  /** What to answer with, once it is settled. */
  answer: Held | undefined = undefined;
  /** Best copy past its TTL seen so far. */
  held: Held | undefined;
  /** Latest delete seen so far; what was filled at or before it is no answer. */
  fence: Hlc;
  /** What a tier keeps of a key that it knows as deleted. */
  tombstone: Entry | undefined = undefined;
  settled = false;
  revalidate = false;
  /** A copy stands in for what could not be had. */
  stale = false;
  /** When the rung was asked that settled it. */
  askedAtMs = 0;
  lentUntilMs = 0;
  /** A rung could not answer: what is missing may exist all the same. */
  unsure = false;
  /** Who is being asked for it. */
  asked: Rung | undefined = undefined;
  missed: readonly Rung[] = NO_RUNGS;
  errors: Answer['errors'] = NO_ERRORS;

  constructor(key: string, held: Held | undefined) {
    this.key = key;
    this.held = held?.entry.kind === 'tombstone' ? undefined : held;
    this.fence = held?.entry.fence ?? HLC_ZERO;
  }

  get entry(): Entry | undefined {
    return this.answer?.entry;
  }

  get level(): Level | undefined {
    return this.answer?.level;
  }

  get value(): unknown {
    return this.answer?.value;
  }

  get same(): boolean {
    return this.answer?.same === true;
  }

  get hot(): boolean {
    return this.answer?.hot === true;
  }

  miss(rung: Rung): void {
    this.missed = this.missed === NO_RUNGS ? [rung] : [...this.missed, rung];
  }
}

/** Whether a rung is to be asked for a key that is still open; settles the key when a stale copy will do. */
export function isWanted(one: Climb, rung: Rung, parts: LadderParts): boolean {
  if (rung.level !== 'source') {
    if (one.tombstone !== undefined) one.miss(rung);
    return one.tombstone === undefined;
  }
  const held = one.held;
  if (held === undefined) return true;
  if (held.doubted === true) {
    // Those who could tell that it is outdated say that they have nothing: only the source knows now.
    if (!one.unsure) return true;
    // They do not answer. What is within its TTL is served, marked stale, and the source is spared.
    if (standsIn(one, parts)) return false;
  }
  if (parts.wallMs() >= held.entry.freshUntilMs + held.entry.staleWhileRevalidateMs) return true;
  one.settled = true;
  one.revalidate = true;
  one.stale = true;
  one.answer = held;
  return false;
}

/**
 * This is the only place where "not here" becomes "go on", and where a miss, a skip and a failure are told apart:
 *
 * - fresh: that is the answer, unless a nearer rung knows better: a later delete, or newer data past their TTL.
 * - stale, outdated, or below a floor: the rung counts as having missed; the newest stale copy is remembered.
 * - tombstone: deleted, so slower tiers are not asked, for they can only have something older. The source is.
 * - miss: go on, and let the rung have the answer.
 * - skipped or failed: go on, and leave the rung alone.
 *
 * What the source says is the answer whatever fence or floor was raised meanwhile: whoever waits for it asked before
 * that, and it is for the caller to keep nothing of it. When the source has nothing, no stale copy stands in.
 *
 * A stale copy is served instead of asking the source while its revalidate window is open, and after a failure while
 * its error window is. A doubted copy, one that the feed does not vouch for, is served within its TTL when a rung could
 * not answer or has older data; it is marked stale too. So is what a tier says when one before it did not answer, or
 * when it may itself have lost something newer.
 */
export function judge(one: Climb, rung: Rung, outcome: Outcome, parts: LadderParts): void {
  switch (outcome.kind) {
    case 'found':
      judgeFound(one, rung, outcome, parts);
      break;
    case 'miss':
      one.miss(rung);
      one.settled = rung.level === 'source';
      break;
    case 'skipped':
      one.unsure = true;
      parts.recorder.error(rung.level, outcome.why);
      break;
    case 'failed':
      one.unsure = true;
      one.errors = [...one.errors, { level: rung.level, error: outcome.error }];
      parts.recorder.error(rung.level, errorType(outcome.error));
      break;
  }
}

function judgeFound(one: Climb, rung: Rung, found: Found, parts: LadderParts): void {
  const { entry, level = rung.level, unsure = false, hot = false, lent = false } = found;
  if (rung.level === 'source') {
    one.settled = true;
    one.stale = unsure;
    one.answer = { entry, level, hot };
    return;
  }
  raiseFence(one, entry.fence);
  const state = freshness(entry, parts.wallMs());
  if (entry.kind === 'tombstone') {
    one.tombstone = entry;
    one.miss(rung);
    parts.follow(entry.fence);
  } else if (state === 'dead' || isOutdated(one, entry) || !parts.floors.passes(one.key, entry)) {
    one.miss(rung);
    // The rung has lost, or not had yet, what is held here.
    if (state !== 'dead' && one.held?.doubted === true && isOlder(entry, one.held.entry)) standsIn(one, parts);
  } else if (state === 'stale') {
    one.miss(rung);
    // Of the same data, the copy that nobody doubts.
    const isBetter = one.held?.doubted === true || isOlder(one.held?.entry, entry);
    if (isBetter && found.same !== true) one.held = { entry, level };
  } else {
    one.settled = true;
    // A nearer rung did not answer, or this one has lost something: there may be something newer.
    one.stale = one.unsure || unsure;
    one.answer =
      found.same === true && one.held !== undefined ? confirmed(one.held, level) : { entry, level, hot, lent };
  }
}

function confirmed(held: Held, level: Level): Held {
  return {
    entry: held.entry,
    level,
    same: true,
    get value() {
      return held.value;
    },
  };
}

function raiseFence(one: Climb, fence: Hlc): void {
  one.fence = laterHlc(one.fence, fence);
  if (one.held !== undefined && compareHlc(one.held.entry.fillStart, one.fence) <= 0) one.held = undefined;
}

/** Whether a nearer rung knows better: of a delete after this was filled, or of newer data that are past their TTL. */
export function isOutdated(one: Climb, entry: Entry): boolean {
  if (compareHlc(entry.fillStart, one.fence) <= 0) return true;
  return one.held !== undefined && isOlder(entry, one.held.entry);
}

function isOlder(entry: Entry | undefined, other: Entry): boolean {
  return entry === undefined || compareVersions(entry.version, other.version) < 0;
}

/** Settles a key with the doubted copy that is held of it, if that is within its TTL. */
function standsIn(one: Climb, parts: LadderParts): boolean {
  const held = one.held;
  if (held === undefined || parts.wallMs() >= held.entry.freshUntilMs) return false;
  if (!parts.floors.passes(one.key, held.entry)) return false;
  one.settled = true;
  one.stale = true;
  one.answer = held;
  return true;
}

export function finish(one: Climb, parts: LadderParts): void {
  if (one.settled || !one.unsure) {
    one.lentUntilMs = lentUntilMs(one, parts);
    return;
  }
  one.answer = rescue(one, parts);
  one.stale = one.answer !== undefined;
}

/**
 * Where nobody is there to ask but owners, and very many ask them: until when what one said may be the answer again. Only
 * of what is marked stale: what is not, memory keeps.
 */
function lentUntilMs({ answer, stale, askedAtMs }: Climb, parts: LadderParts): number {
  if (!stale || answer?.hot !== true || answer.lent !== true) return 0;
  return Math.min(askedAtMs + OWNER_LEASE_MS, parts.monotonicMs() + answer.entry.freshUntilMs - parts.wallMs());
}

/** The stale copy that may stand in for what could not be had. */
function rescue(one: Climb, parts: LadderParts): Held | undefined {
  if (one.held === undefined) return undefined;
  const { entry } = one.held;
  const open = parts.wallMs() < entry.freshUntilMs + entry.staleIfErrorMs;
  return open && parts.floors.passes(one.key, entry) ? one.held : undefined;
}

/** The word under which an error is counted. */
export function errorType(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
