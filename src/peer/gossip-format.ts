import { isMark } from './control-format.js';
import type { GossipReply, GossipRequest } from './gossip.js';
import { fieldsOf, malformed, parseJson, versionOf } from './json-fields.js';
import type { MemberRecord, MemberStatus } from './member.js';
import { MEMBERS_MAX } from './membership-profile.js';
import { isPeerAddress } from './peer-address.js';
import type { Gossiped } from './transport.js';

/**
 * Gossip as JSON; part of the wire contract, golden files hold it to its word. Fields that are not known are left
 * alone, so that one more can be added; whatever changes the meaning of one is another version.
 */
const GOSSIP_VERSION = 1;

const REQUESTS: readonly string[] = ['ping', 'sync', 'relay'] satisfies readonly GossipRequest['kind'][];
const REPLIES: readonly string[] = ['ack', 'nack'] satisfies readonly GossipReply['kind'][];
const STATUSES: readonly string[] = ['up', 'suspect', 'down', 'left'] satisfies readonly MemberStatus[];
const WEIGHT_MAX = 1_000;
const ID = /^[0-9a-f]{12}$/;
const EPOCH = /^(?:[0-9a-f]{16})?$/;
const DIGEST = /^[0-9a-f]{1,16}$/;
/** What a machine or a rack is called. */
const PLACE = /^[\x21-\x7e]{1,64}$/;

export function formatGossip({ message, floors }: Gossiped<GossipRequest | GossipReply>): string {
  return JSON.stringify({ v: GOSSIP_VERSION, ...message, floors });
}

/** @throws CacheError `level-failed` */
export function parseGossipRequest(text: string): Gossiped<GossipRequest> {
  const { kind, target, ...rest } = readGossip(text);
  if (!isRequest(kind)) throw malformed('the kind of a gossip is not known');
  if (kind === 'relay' && (typeof target !== 'string' || !isPeerAddress(target))) {
    throw malformed('the target of a relay is not host:port');
  }
  const { floors, ...said } = readSaid(rest);
  return { floors, message: { kind, ...said, ...(typeof target === 'string' && { target }) } };
}

/** @throws CacheError `level-failed` */
export function parseGossipReply(text: string): Gossiped<GossipReply> {
  const { kind, ...rest } = readGossip(text);
  if (!isReply(kind)) throw malformed('the answer to a gossip is not known');
  const { floors, ...said } = readSaid(rest);
  return { floors, message: { kind, ...said } };
}

function readGossip(text: string): Readonly<Record<string, unknown>> {
  const fields = fieldsOf(parseJson(text, 'a gossip'), 'a gossip');
  if (fields.v !== GOSSIP_VERSION) {
    throw malformed(`its gossip is of ${versionOf(fields.v)}, this node speaks ${GOSSIP_VERSION}`);
  }
  return fields;
}

function readSaid({ from, digest, records, floors }: Readonly<Record<string, unknown>>) {
  if (typeof digest !== 'string' || !DIGEST.test(digest)) throw malformed('a gossip has no digest');
  if (typeof floors !== 'string' || !isMark(floors)) throw malformed('a gossip has no mark of floors');
  if (!Array.isArray(records)) throw malformed('the records of a gossip are no array');
  if (records.length > MEMBERS_MAX) {
    throw malformed(`${records.length} members, at most ${MEMBERS_MAX} are allowed`);
  }
  return { from: parseRecord(from), digest, records: records.map(parseRecord), floors };
}

function parseRecord(value: unknown): MemberRecord {
  const fields = fieldsOf(value, 'a member');
  const { id, address, weight, host, rack, status, incarnation, buried, leaving, degraded, settled, accuser } = fields;
  if (typeof id !== 'string' || !ID.test(id)) throw malformed('the id of a member is not 12 hex digits');
  if (typeof address !== 'string' || !isPeerAddress(address)) {
    throw malformed(`the address of member ${id} is not host:port`);
  }
  if (typeof weight !== 'number' || !(weight > 0 && weight <= WEIGHT_MAX)) {
    throw malformed(`the weight of member ${id} is not a number above 0 and at most ${WEIGHT_MAX}`);
  }
  if (!isStatus(status)) throw malformed(`the status of member ${id} is not known`);
  if (!isCount(incarnation) || !isCount(buried)) throw malformed(`an incarnation of member ${id} is no number`);
  if (typeof leaving !== 'boolean' || typeof degraded !== 'boolean') throw malformed(`member ${id} lacks a flag`);
  if (typeof settled !== 'string' || !EPOCH.test(settled)) throw malformed(`the epoch of member ${id} is none`);
  return {
    id,
    address,
    weight,
    ...(host !== undefined && { host: parsePlace(host, id) }),
    ...(rack !== undefined && { rack: parsePlace(rack, id) }),
    status,
    incarnation,
    buried,
    leaving,
    degraded,
    settled,
    ...(typeof accuser === 'string' && ID.test(accuser) && { accuser }),
  };
}

function parsePlace(place: unknown, id: string): string {
  if (typeof place === 'string' && PLACE.test(place)) return place;
  throw malformed(`the host or rack of member ${id} is not 1 to 64 visible ASCII characters`);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isStatus(value: unknown): value is MemberStatus {
  return typeof value === 'string' && STATUSES.includes(value);
}

function isRequest(value: unknown): value is GossipRequest['kind'] {
  return typeof value === 'string' && REQUESTS.includes(value);
}

function isReply(value: unknown): value is GossipReply['kind'] {
  return typeof value === 'string' && REPLIES.includes(value);
}
