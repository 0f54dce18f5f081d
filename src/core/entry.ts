import { compareHlc, type Hlc, laterHlc } from './hlc.js';
import { compareVersions, isLoaded, newerVersion, type Version } from './version.js';

/** `value`: there is one. `absent`: the source was asked and has none. `tombstone`: deleted. */
export type EntryKind = 'value' | 'absent' | 'tombstone';

/** Why an entry is written: `set` tells the cache something new, `fill` copies what a source or a slower level said. */
export type WriteMode = 'set' | 'fill';

/**
 * What a level keeps under a key. Immutable. All instants are wall time of the city, in ms since the epoch.
 *
 * Two orders live side by side and are never mixed. `version` is the order of the data. `fillStart` and `fence` are
 * the order of knowledge: an entry is dead unless it was filled after its fence.
 */
export interface Entry {
  readonly kind: EntryKind;
  /** The encoded value; empty unless `kind` is `value`. Never changed after it was handed over. */
  readonly payload: Uint8Array;
  readonly version: Version;
  /** For a fill, the reading taken before the source was asked; for a set, the reading at which it was issued. */
  readonly fillStart: Hlc;
  /** The latest delete known of this key; what was filled at or before it stays deleted. */
  readonly fence: Hlc;
  readonly createdAtMs: number;
  /** Fresh before this instant, stale from it on. */
  readonly freshUntilMs: number;
  /** How long after `freshUntilMs` it may be served while a new one is fetched. */
  readonly staleWhileRevalidateMs: number;
  /** How long after `freshUntilMs` it may be served because the source fails. */
  readonly staleIfErrorMs: number;
  readonly tags: readonly string[];
}

/**
 * Makes an entry. All that are made often are made here: V8 remembers per place in the source what numbers an object of
 * it has held, whole or broken, and an object of one place that is used where those of another were expected is converted
 * first, which took longer than all else of a write.
 */
export function makeEntry(
  kind: EntryKind,
  payload: Uint8Array,
  version: Version,
  fillStart: Hlc,
  fence: Hlc,
  createdAtMs: number,
  freshUntilMs: number,
  staleWhileRevalidateMs: number,
  staleIfErrorMs: number,
  tags: readonly string[],
): Entry {
  return {
    kind,
    payload,
    version,
    fillStart,
    fence,
    createdAtMs,
    freshUntilMs,
    staleWhileRevalidateMs,
    staleIfErrorMs,
    tags,
  };
}

export const NO_PAYLOAD: Uint8Array = new Uint8Array(0);
export const NO_TAGS: readonly string[] = Object.freeze([]);

/** The instant at which an entry is of no more use to anybody. */
export function deadAtMs(entry: Entry): number {
  return entry.freshUntilMs + Math.max(entry.staleWhileRevalidateMs, entry.staleIfErrorMs);
}

/** Fresh: within its TTL. Stale: past it but within a stale window. Dead: past both. */
export function freshness(entry: Entry, wallMs: number): 'fresh' | 'stale' | 'dead' {
  if (wallMs < entry.freshUntilMs) return 'fresh';
  return wallMs < deadAtMs(entry) ? 'stale' : 'dead';
}

/** Whether a level that has `told` has what is `kept` here, if perhaps from an earlier fill. */
export function isSameData(kept: Entry, told: Entry): boolean {
  return kept.kind === told.kind && compareVersions(kept.version, told.version) === 0;
}

/** How long a tombstone is kept, in ms: longer than any write is under way, and than entries live by default. */
export const TOMBSTONE_MS = 7_200_000;

/** What a delete leaves: the fence, and the newest data version that was known. */
export function tombstone(fence: Hlc, known: Version, wallMs: number, keptMs: number): Entry {
  return makeEntry('tombstone', NO_PAYLOAD, known, known.hlc, fence, wallMs, wallMs + keptMs, 0, 0, NO_TAGS);
}

/** What a level holds after a write, and whether the write is what a reader will see. */
export interface Merged {
  readonly entry: Entry;
  readonly accepted: boolean;
}

/**
 * Which of two entries of one key a level keeps. `current` must not be dead or below a floor (pass undefined then).
 *
 * Sets and deletes form a join semilattice: the state is (latest fence, newest version), and its value shows only
 * if it was issued after the fence. So any order of arrival, repeated or not, ends in the same state, and a delayed
 * set cannot bring back what was deleted. A delete leaves the newest version known behind, so that older data issued
 * later stays out, while newer data, even dated before the delete, comes in. One version that was issued twice (a
 * source's own, say) counts from when it was issued last.
 *
 * A fill adds no knowledge of the data; it only has to be asked for after the fence. Against a tombstone, or an entry
 * whose delete it is the first to tell of, its version does not matter (the source is the truth about what exists);
 * against a live entry it must be newer, or the same data asked for later. Loaded data carry their own time as their
 * whole version (`loadedVersion`): they are the same data as what was set with that time, and keep its version. That the
 * source has nothing is news if it was asked later.
 */
export function mergeEntries(current: Entry | undefined, incoming: Entry, mode: WriteMode): Merged {
  if (current === undefined) return { entry: incoming, accepted: true };
  const fence = laterHlc(current.fence, incoming.fence);
  if (mode === 'fill' && incoming.kind !== 'tombstone') return mergeFill(current, incoming, fence);

  const top = isTop(incoming, current) ? incoming : current;
  if (shows(top, fence)) return { entry: sameFence(top, fence), accepted: top === incoming };
  const accepted = incoming.kind === 'tombstone' && compareHlc(incoming.fence, fence) >= 0;
  return { entry: buried(current, incoming, fence), accepted };
}

function mergeFill(current: Entry, incoming: Entry, fence: Hlc): Merged {
  const isLive = shows(current, fence);
  if (shows(incoming, fence) && (!isLive || isFresherFill(incoming, current))) {
    const version = isLive ? newerVersion(current.version, incoming.version) : incoming.version;
    return { entry: sameFence({ ...incoming, version }, fence), accepted: true };
  }
  const kept = isLive || current.kind === 'tombstone' ? sameFence(current, fence) : buried(current, incoming, fence);
  return { entry: kept, accepted: false };
}

function shows(entry: Entry, fence: Hlc): boolean {
  return entry.kind !== 'tombstone' && compareHlc(entry.fillStart, fence) > 0;
}

function isTop(incoming: Entry, current: Entry): boolean {
  const newer = compareVersions(incoming.version, current.version);
  if (newer !== 0) return newer > 0;
  if (current.kind === 'tombstone') return true;
  return incoming.kind !== 'tombstone' && compareHlc(incoming.fillStart, current.fillStart) > 0;
}

function isFresherFill(incoming: Entry, current: Entry): boolean {
  const isLater = compareHlc(incoming.fillStart, current.fillStart) > 0;
  // That there is nothing has no version: it is news if it was asked for later.
  if (incoming.kind === 'absent') return isLater;
  if (compareVersions(incoming.version, current.version) > 0) return true;
  const isSame = isLoaded(incoming.version)
    ? incoming.version.eventTimeMs === current.version.eventTimeMs
    : compareVersions(incoming.version, current.version) === 0;
  return isSame && isLater;
}

/** What remains when neither of the two shows. */
function buried(current: Entry, incoming: Entry, fence: Hlc): Entry {
  const latest = compareHlc(incoming.fence, current.fence) > 0 ? incoming : current;
  return {
    ...tombstone(fence, newerVersion(current.version, incoming.version), latest.createdAtMs, 0),
    freshUntilMs: Math.max(current.freshUntilMs, incoming.freshUntilMs),
  };
}

function sameFence(entry: Entry, fence: Hlc): Entry {
  return compareHlc(entry.fence, fence) === 0 ? entry : { ...entry, fence };
}
