import { FLOORS_MAX, type Floor } from '../core/floors.js';
import { compileGlob } from '../core/glob.js';
import { checkText, KEY_BYTES_MAX, PARTITIONS, TAG_BYTES_MAX } from '../core/key.js';
import { decodeHlc, encodeHlc } from '../core/version.js';
import { fieldsOf, malformed, parseJson } from './json-fields.js';
import type { Member, MemberInfo } from './member.js';
import type { FloorList, Hello } from './transport.js';

/** What is said now and then, as JSON: people read it too. What comes in is checked field by field. */

const SCOPES: readonly string[] = ['all', 'partition', 'tag', 'pattern'] satisfies readonly Floor['scope'][];
/** All that a node goes by, or has logged. */
const FLOORS_AT_ONCE_MAX = 2 * FLOORS_MAX;

/** What a node says of itself and the others, for people. */
export function formatHello({ node, epoch, floors, members }: Hello): string {
  return JSON.stringify({ node: formatMember(node), epoch, floors, members: members.map(formatMemberInfo) });
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

function formatMember({ id, address, weight, host, rack }: Member): object {
  return { id, address, weight, host, rack };
}

function formatMemberInfo(member: MemberInfo): object {
  return { ...formatMember(member), status: member.status };
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

function isScope(value: unknown): value is Floor['scope'] {
  return typeof value === 'string' && SCOPES.includes(value);
}
