import { CacheError } from '../core/errors.js';
import { FLOORS_MAX, type Floor } from '../core/floors.js';
import { compileGlob } from '../core/glob.js';
import { checkText, KEY_BYTES_MAX, PARTITIONS, TAG_BYTES_MAX } from '../core/key.js';
import { decodeHlc, encodeHlc } from '../core/version.js';
import type { Member, MemberInfo, MemberStatus } from './member.js';
import { isPeerAddress } from './peer-address.js';
import type { FloorList, Hello } from './transport.js';

/** What is said now and then, as JSON: people read it too. What comes in is checked field by field. */

const STATUSES: readonly string[] = ['up', 'suspect', 'down'] satisfies readonly MemberStatus[];
const SCOPES: readonly string[] = ['all', 'partition', 'tag', 'pattern'] satisfies readonly Floor['scope'][];
/** Most members of one hello; more are not read. */
const MEMBERS_MAX = 1_024;
const WEIGHT_MAX = 1_000;
/** All that a node goes by, or has logged. */
const FLOORS_AT_ONCE_MAX = 2 * FLOORS_MAX;

export function formatHello({ node, epoch, floors, members }: Hello): string {
  return JSON.stringify({ node: formatMember(node), epoch, floors, members: members.map(formatMemberInfo) });
}

/** @throws CacheError `level-failed` */
export function parseHello(text: string): Hello {
  const hello = fieldsOf(parseJson(text, 'a hello'), 'a hello');
  const { epoch, floors, members } = hello;
  if (typeof epoch !== 'string' || typeof floors !== 'string' || !isMark(floors) || !Array.isArray(members)) {
    throw malformed('a hello needs epoch, floors and members');
  }
  return {
    node: parseMember(hello.node),
    epoch,
    floors,
    members: members.slice(0, MEMBERS_MAX).map(parseMemberInfo),
  };
}

export function formatFloors(floors: readonly Floor[]): string {
  return JSON.stringify({ floors: floors.map(formatFloor) });
}

/** @throws CacheError `level-failed`, or `invalid-tag` and `invalid-pattern` for what a floor is about */
export function parseFloors(text: string): Floor[] {
  return parseEach(fieldsOf(parseJson(text, 'floors'), 'floors').floors);
}

export function formatFloorList({ mark, floors }: FloorList): string {
  return JSON.stringify({ mark, floors: floors.map(formatFloor) });
}

/** @throws CacheError as `parseFloors` */
export function parseFloorList(text: string): FloorList {
  const { mark, floors } = fieldsOf(parseJson(text, 'floors'), 'floors');
  if (typeof mark !== 'string' || !isMark(mark)) throw malformed('the mark of floors is not known');
  return { mark, floors: parseEach(floors) };
}

/** Whether `text` may be the mark of a log; whose it is and what it means only that log knows. */
export function isMark(text: string): boolean {
  return /^[0-9a-f]{1,32}\.\d{1,15}$/.test(text);
}

function parseEach(floors: unknown): Floor[] {
  if (!Array.isArray(floors)) throw malformed('floors must be an array');
  if (floors.length > FLOORS_AT_ONCE_MAX) {
    throw malformed(`${floors.length} floors, at most ${FLOORS_AT_ONCE_MAX} are allowed`);
  }
  return floors.map(parseFloor);
}

function formatFloor({ scope, subject, hlc }: Floor): object {
  return { scope, subject, hlc: encodeHlc(hlc) };
}

function formatMember({ id, address, weight }: Member): object {
  return { id, address, weight };
}

function formatMemberInfo(member: MemberInfo): object {
  return { ...formatMember(member), status: member.status };
}

function parseMember(value: unknown): Member {
  const { id, address, weight } = fieldsOf(value, 'a node');
  if (typeof id !== 'string' || !/^[0-9a-f]{12}$/.test(id)) throw malformed('the id of a node is not 12 hex digits');
  if (typeof address !== 'string' || !isPeerAddress(address)) {
    throw malformed(`the address of node ${id} is not host:port`);
  }
  if (typeof weight !== 'number' || !(weight > 0 && weight <= WEIGHT_MAX)) {
    throw malformed(`the weight of node ${id} is not a number above 0 and at most ${WEIGHT_MAX}`);
  }
  return { id, address, weight };
}

function parseMemberInfo(value: unknown): MemberInfo {
  const { status } = fieldsOf(value, 'a node');
  if (!isStatus(status)) throw malformed('the status of a node is not known');
  return { ...parseMember(value), status };
}

function parseFloor(value: unknown): Floor {
  const { scope, subject, hlc } = fieldsOf(value, 'a floor');
  if (!isScope(scope) || typeof subject !== 'string') throw malformed('a floor needs a known scope and a subject');
  if (typeof hlc !== 'string' || !/^[0-9a-f]{16}$/.test(hlc))
    throw malformed('the hlc of a floor is not 16 hex digits');
  checkSubject(scope, subject);
  return { scope, subject, hlc: decodeHlc(hlc) };
}

function checkSubject(scope: Floor['scope'], subject: string): void {
  switch (scope) {
    case 'all':
      if (subject !== '') throw malformed('a floor over everything has no subject');
      break;
    case 'partition':
      if (!/^(?:0|[1-9]\d{0,2})$/.test(subject) || Number(subject) >= PARTITIONS) {
        throw malformed(`a partition is a number from 0 to ${PARTITIONS - 1}`);
      }
      break;
    case 'tag':
      checkText(subject, 'tag', 'invalid-tag', TAG_BYTES_MAX);
      break;
    case 'pattern':
      checkText(subject, 'pattern', 'invalid-pattern', KEY_BYTES_MAX);
      compileGlob(subject);
      break;
  }
}

function isStatus(value: unknown): value is MemberStatus {
  return typeof value === 'string' && STATUSES.includes(value);
}

function isScope(value: unknown): value is Floor['scope'] {
  return typeof value === 'string' && SCOPES.includes(value);
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw malformed(`${what} is not JSON`, cause);
  }
}

function fieldsOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) throw malformed(`${what} is not an object`);
  return value as Readonly<Record<string, unknown>>;
}

function malformed(why: string, cause?: unknown): CacheError {
  return new CacheError('level-failed', `what a node said cannot be read: ${why}`, { cause });
}
