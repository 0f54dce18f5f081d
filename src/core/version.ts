import { compareHlc, type Hlc } from './hlc.js';

/**
 * The data order of an entry: the larger one wins, at every level and in every city, whatever order they arrive in.
 * Compared field by field in this order.
 */
export interface Version {
  /** When the data came about, in ms since the epoch: a device's time, a row's time, or the time of the set. */
  readonly eventTimeMs: number;
  /** When the write was issued. */
  readonly hlc: Hlc;
  /** Which node issued it: 48 bits drawn from the node's id. */
  readonly origin: number;
}

/** Older than every version: what is known of the data of a key that nobody has seen. */
export const VERSION_ZERO: Version = Object.freeze({
  eventTimeMs: 0,
  hlc: Object.freeze({ ms: 0, counter: 0 }),
  origin: 0,
});

/**
 * The version of loaded data that know their own time: that time and nothing of the load, so that two nodes that load
 * the same row agree, and so that it can be told from what was set.
 */
export function loadedVersion(eventTimeMs: number): Version {
  return { eventTimeMs, hlc: VERSION_ZERO.hlc, origin: 0 };
}

/**
 * The version of data whose source tells those of one time apart, by a number that grows: it is all there is of their
 * order, so what is set and what is loaded are told alike, by whatever node.
 * @param number from 1 on
 */
export function numberedVersion(eventTimeMs: number, number: number): Version {
  return { eventTimeMs, hlc: { ms: number, counter: 0 }, origin: 0 };
}

/** Whether a version was made by `loadedVersion`. */
export function isLoaded(version: Version): boolean {
  return version.hlc.ms === 0;
}

/** Negative, zero or positive as `a` is older than, the same as or newer than `b`. */
export function compareVersions(a: Version, b: Version): number {
  return a.eventTimeMs - b.eventTimeMs || compareHlc(a.hlc, b.hlc) || a.origin - b.origin;
}

export function newerVersion(a: Version, b: Version): Version {
  return compareVersions(a, b) >= 0 ? a : b;
}

/** Width of an encoded reading and of an encoded version, in lower-case hex digits. */
export const HLC_HEX = 16;
export const VERSION_HEX = 40;

/** A reading as 16 lower-case hex digits: text order is time order, under every locale. */
export function encodeHlc(hlc: Hlc): string {
  return milliseconds.encode(hlc.ms) + BYTES[hlc.counter >> 8] + BYTES[hlc.counter & 0xff];
}

export function decodeHlc(text: string): Hlc {
  return { ms: Number.parseInt(text.slice(0, 12), 16), counter: Number.parseInt(text.slice(12, HLC_HEX), 16) };
}

/** A version as 40 lower-case hex digits: text order is version order, under every locale (Lua compares by locale). */
export function encodeVersion(version: Version): string {
  return milliseconds.encode(version.eventTimeMs) + encodeHlc(version.hlc) + origins.encode(version.origin);
}

export function decodeVersion(text: string): Version {
  return {
    eventTimeMs: Number.parseInt(text.slice(0, 12), 16),
    hlc: decodeHlc(text.slice(12, 28)),
    origin: Number.parseInt(text.slice(28, VERSION_HEX), 16),
  };
}

const ENCODED = /^[0-9a-f]{40}$/;

/** Whether `text` has the form of an encoded version. */
export function isEncodedVersion(text: string): boolean {
  return ENCODED.test(text);
}

/** How far into the future an event time may lie; beyond it the device's clock is wrong and the time is clamped. */
export const EVENT_TIME_AHEAD_MAX_MS = 5_000;

/** An event time that no version can be pinned by: whole, not negative, at most 5 s ahead of `wallMs`. */
export function clampEventTimeMs(eventTimeMs: number, wallMs: number): number {
  return Math.floor(Math.min(Math.max(eventTimeMs, 0), wallMs + EVENT_TIME_AHEAD_MAX_MS));
}

function hex(value: number, width: number): string {
  return value.toString(16).padStart(width, '0');
}

/** All bytes in two digits. */
const BYTES: readonly string[] = Array.from({ length: 256 }, (_, byte) => hex(byte, 2));

/** Twelve digits; remembers the last ones, since versions that are made here share their millisecond and their origin. */
class HexDigits {
  #value = -1;
  #digits = '';

  encode(value: number): string {
    if (value !== this.#value) {
      this.#digits = hex(value, 12);
      this.#value = value;
    }
    return this.#digits;
  }
}

const milliseconds = new HexDigits();
const origins = new HexDigits();
