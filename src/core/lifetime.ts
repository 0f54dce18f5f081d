import type { EntryOptions } from './cache.js';
import { durationMs, positiveDurationMs } from './duration.js';
import { type Entry, type EntryKind, makeEntry, NO_PAYLOAD, NO_TAGS } from './entry.js';
import { CacheError } from './errors.js';
import { HLC_ZERO, type Hlc } from './hlc.js';
import { checkTags } from './key.js';
import { clampEventTimeMs, decodeVersion, isEncodedVersion, type Version } from './version.js';

/** How long entries are kept when nobody says otherwise, in ms. */
export interface LifetimeDefaults {
  readonly ttlMs: number;
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
}

/** A checked `EntryOptions` with nothing left open. */
export interface Lifetime extends LifetimeDefaults {
  readonly tags: readonly string[];
}

/** @throws CacheError `invalid-ttl` or `invalid-tag`, naming the option */
export function resolveLifetime(options: EntryOptions | undefined, defaults: LifetimeDefaults): Lifetime {
  if (options === undefined) return { ...defaults, tags: NO_TAGS };
  if (options.tags !== undefined) checkTags(options.tags);
  return {
    ttlMs: options.ttl === undefined ? defaults.ttlMs : positiveDurationMs(options.ttl, 'ttl'),
    staleWhileRevalidateMs:
      options.staleWhileRevalidate === undefined
        ? defaults.staleWhileRevalidateMs
        : durationMs(options.staleWhileRevalidate, 'staleWhileRevalidate'),
    staleIfErrorMs:
      options.staleIfError === undefined ? defaults.staleIfErrorMs : durationMs(options.staleIfError, 'staleIfError'),
    tags: options.tags === undefined || options.tags.length === 0 ? NO_TAGS : [...new Set(options.tags)],
  };
}

/** An entry that starts to live at `wallMs`. */
export function newEntry(
  kind: Exclude<EntryKind, 'tombstone'>,
  payload: Uint8Array,
  order: { readonly version: Version; readonly fillStart: Hlc },
  lifetime: Lifetime,
  wallMs: number,
): Entry {
  return makeEntry(
    kind,
    kind === 'value' ? payload : NO_PAYLOAD,
    order.version,
    order.fillStart,
    HLC_ZERO,
    wallMs,
    wallMs + lifetime.ttlMs,
    lifetime.staleWhileRevalidateMs,
    lifetime.staleIfErrorMs,
    lifetime.tags,
  );
}

/**
 * An event time in whole ms, clamped so that no clock pins a key.
 * @param field the argument that it was given as
 * @throws CacheError `invalid-options` when it is not a time
 */
export function eventTimeMs(
  given: number | Date,
  wallMs: number,
  field: 'eventTime' | 'version' | 'filledAfter' = 'eventTime',
): { readonly ms: number; readonly clamped: boolean } {
  const ms = given instanceof Date ? given.getTime() : given;
  if (typeof ms !== 'number' || !Number.isFinite(ms)) {
    throw new CacheError('invalid-options', `${field} is ${String(given)}: give a Date or milliseconds since 1970`, {
      field,
    });
  }
  const clamped = clampEventTimeMs(ms, wallMs);
  return { ms: clamped, clamped: clamped < Math.floor(ms) };
}

/**
 * A version that was given as text, its event time clamped.
 * @throws CacheError `invalid-options` when it is not the text of a version
 */
export function versionOfText(text: string, wallMs: number): { readonly version: Version; readonly clamped: boolean } {
  if (!isEncodedVersion(text)) {
    throw new CacheError(
      'invalid-options',
      `version is ${JSON.stringify(text)}: give milliseconds since 1970, or the 40 hex digits that a write returned`,
      { field: 'version' },
    );
  }
  const version = decodeVersion(text);
  const { ms, clamped } = eventTimeMs(version.eventTimeMs, wallMs, 'version');
  return { version: clamped ? { ...version, eventTimeMs: ms } : version, clamped };
}
