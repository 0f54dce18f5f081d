import type { Hlc } from '../core/hlc.js';
import type { LeaseToken } from '../core/lease.js';
import { malformed, type WireCursor, writeText } from './wire-cursor.js';

/**
 * What a node wants of the owner who grants the leases on a key; or, with `ended`, what the owner tells those who wait.
 * `since` as in `LeaseOffice`; `from` is the address to tell.
 */
export type LeaseQuestion =
  | {
      readonly verb: 'acquire';
      readonly key: string;
      readonly token: LeaseToken;
      readonly since: Hlc;
      readonly from: string;
    }
  | { readonly verb: 'renew' | 'release'; readonly key: string; readonly token: LeaseToken }
  | { readonly verb: 'ended'; readonly key: string };

/** `full`: the owner keeps as many leases as it may. `noted`: to everything but a wish. */
export type LeaseReply =
  | { readonly kind: 'granted'; readonly occupied: boolean }
  | { readonly kind: 'busy'; readonly leftMs: number }
  | { readonly kind: 'filled' | 'full' | 'noted' };

const VERBS: readonly LeaseQuestion['verb'][] = ['acquire', 'renew', 'release', 'ended'];
const TOKEN_BYTES_MAX = 128;
const ADDRESS_BYTES_MAX = 300;
/** A question without its texts; a reply. */
const QUESTION_ROOM = 15;
export const REPLY_ROOM = 5;

/** At most how many bytes a question takes. */
export function questionRoom(question: LeaseQuestion): number {
  const room = QUESTION_ROOM + question.key.length * 3;
  if (question.verb === 'ended') return room;
  return room + question.token.length * 3 + (question.verb === 'acquire' ? question.from.length * 3 : 0);
}

export function writeQuestion(buffer: Buffer, question: LeaseQuestion, start: number): number {
  let at = buffer.writeUInt8(VERBS.indexOf(question.verb), start);
  at = writeText(buffer, question.key, at);
  if (question.verb === 'ended') return at;
  at = writeText(buffer, question.token, at);
  if (question.verb !== 'acquire') return at;
  at = buffer.writeUIntBE(question.since.ms, at, 6);
  at = buffer.writeUInt16BE(question.since.counter, at);
  return writeText(buffer, question.from, at);
}

export function readQuestion(cursor: WireCursor): LeaseQuestion {
  const verb = VERBS[cursor.byte()];
  if (verb === undefined) throw malformed('a verb about leases is not known');
  const key = cursor.key();
  if (verb === 'ended') return { verb, key };
  const token = cursor.text(TOKEN_BYTES_MAX);
  if (verb !== 'acquire') return { verb, key, token };
  return { verb, key, token, since: cursor.reading(), from: cursor.text(ADDRESS_BYTES_MAX) };
}

export function writeLeaseReply(buffer: Buffer, reply: LeaseReply, at: number): number {
  switch (reply.kind) {
    case 'noted':
      return buffer.writeUInt8(0, at);
    case 'granted':
      return buffer.writeUInt8(reply.occupied ? 2 : 1, at);
    case 'busy':
      return buffer.writeUInt32BE(reply.leftMs, buffer.writeUInt8(3, at));
    case 'filled':
      return buffer.writeUInt8(4, at);
    case 'full':
      return buffer.writeUInt8(5, at);
  }
}

export function readLeaseReply(cursor: WireCursor): LeaseReply {
  const status = cursor.byte();
  switch (status) {
    case 0:
      return { kind: 'noted' };
    case 1:
    case 2:
      return { kind: 'granted', occupied: status === 2 };
    case 3:
      return { kind: 'busy', leftMs: cursor.count() };
    case 4:
      return { kind: 'filled' };
    case 5:
      return { kind: 'full' };
    default:
      throw malformed('the status of a lease is not known');
  }
}
