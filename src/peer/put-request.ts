import type { Clock } from '../core/clock.js';
import { type Duration, positiveDurationMs } from '../core/duration.js';
import type { Entry } from '../core/entry.js';
import { CacheError } from '../core/errors.js';
import { HLC_ZERO, type HybridClock } from '../core/hlc.js';
import { checkTags } from '../core/key.js';
import { clampEventTimeMs } from '../core/version.js';
import { HttpProblem } from './http-problem.js';
import type { SignedHeader } from './request-signature.js';

/** Headers of `PUT /internal/cache/set/{key}`, and of the answer of `GET /internal/cache/get/{key}`. */
const TTL_HEADER = 'x-fleetflow-ttl';
export const TAGS_HEADER = 'x-fleetflow-tags';
const EVENT_TIME_HEADER = 'x-fleetflow-event-time';
export const VERSION_HEADER = 'x-fleetflow-version';
export const FRESH_UNTIL_HEADER = 'x-fleetflow-fresh-until';
export const KIND_HEADER = 'x-fleetflow-kind';

export interface PutParts {
  readonly clock: Clock;
  readonly hlc: HybridClock;
  readonly origin: number;
}

/**
 * The entry that a PUT describes, as if it had been set on this node now.
 * @throws HttpProblem 400 or CacheError `invalid-ttl`, `invalid-tag`, naming the header
 */
export function entryOfPut(
  header: (name: SignedHeader) => string | undefined,
  payload: Uint8Array,
  parts: PutParts,
): Entry {
  const { clock, hlc, origin } = parts;
  if (payload.length === 0) throw new HttpProblem(400, 'invalid-value', 'the body is empty: send the encoded value');
  const ttlMs = parseTtlMs(header(TTL_HEADER));
  const tags = parseTags(header(TAGS_HEADER));
  const wallMs = clock.wallMs();
  const eventTimeMs = parseEventTimeMs(header(EVENT_TIME_HEADER));
  const issued = hlc.next();
  return {
    kind: 'value',
    payload,
    version: {
      eventTimeMs: eventTimeMs === undefined ? issued.ms : clampEventTimeMs(eventTimeMs, wallMs),
      hlc: issued,
      origin,
    },
    fillStart: hlc.early(),
    fence: HLC_ZERO,
    createdAtMs: wallMs,
    freshUntilMs: wallMs + ttlMs,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    tags,
  };
}

/** Tags in one header: percent-encoded, so that none can contain the comma between them. */
export function formatTags(tags: readonly string[]): string {
  return tags.map(encodeURIComponent).join(',');
}

function parseTags(text: string | undefined): readonly string[] {
  if (text === undefined || text.trim() === '') return [];
  const tags = text.split(',').map((tag) => decodeText(tag.trim(), 'invalid-tag', TAGS_HEADER));
  checkTags(tags);
  return tags;
}

function parseTtlMs(text: string | undefined): number {
  if (text === undefined) {
    throw new HttpProblem(
      400,
      'invalid-ttl',
      `${TTL_HEADER} is missing: give milliseconds, or a time such as 30s or 5m`,
    );
  }
  const duration = /^\d+$/.test(text) ? Number(text) : (text as Duration);
  return positiveDurationMs(duration, TTL_HEADER);
}

function parseEventTimeMs(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) {
    throw new HttpProblem(400, 'invalid-options', `${EVENT_TIME_HEADER} is not milliseconds since 1970`);
  }
  return Number(text);
}

/** @throws CacheError with `code`, naming `field`, for what is not percent-encoded UTF-8 */
export function decodeText(text: string, code: 'invalid-key' | 'invalid-tag', field: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw undecodable(code, field, cause);
  }
}

function undecodable(code: 'invalid-key' | 'invalid-tag', field: string, cause: unknown): CacheError {
  return new CacheError(code, `${field} is not percent-encoded UTF-8`, { field, cause });
}
