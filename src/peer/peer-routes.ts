import type { Call } from '../core/call.js';
import type { Clock } from '../core/clock.js';
import type { Entry } from '../core/entry.js';
import { decodeEntry, encodeEntry } from '../core/entry-format.js';
import type { Floors } from '../core/floors.js';
import { checkKey, KEY_BYTES_MAX, utf8Length } from '../core/key.js';
import type { Outcome, WriteOutcome } from '../core/outcome.js';
import type { Tier } from '../core/tier.js';
import { encodeVersion } from '../core/version.js';
import { formatFloorList, formatHello, isMark, parseFloors } from './control-format.js';
import type { DriftGate } from './drift.js';
import { formatGossip, parseGossipRequest } from './gossip-format.js';
import { encodePage, parseHandover } from './handover-format.js';
import { formatHot } from './hot-reads.js';
import { HttpProblem } from './http-problem.js';
import { BODY_BYTES_MAX, EPOCH_HEADER, HOT_HEADER, PAYLOAD_BYTES_MAX, REQUEST_MAX_MS, TIME_HEADER } from './limits.js';
import type { HandleRequest, PeerReply, PeerRequest } from './peer-server.js';
import type { PeerService } from './peer-service.js';
import {
  decodeText,
  entryOfPut,
  FRESH_UNTIL_HEADER,
  formatTags,
  KIND_HEADER,
  type PutParts,
  TAGS_HEADER,
  VERSION_HEADER,
} from './put-request.js';
import { decodeRequest, encodeReply } from './wire.js';

export interface RouteParts extends PutParts {
  readonly clock: Clock;
  readonly service: PeerService;
  /** Asks the owners, for those who are no peers and need not know who keeps what. */
  readonly tier: Pick<Tier, 'read' | 'write'>;
  readonly floors: Pick<Floors, 'passes'>;
  readonly drift: DriftGate;
}

const PREFIX = '/internal/cache/';
const GET = `${PREFIX}get/`;
const SET = `${PREFIX}set/`;
const FLOORS = `${PREFIX}floors`;
/** All members, each with the longest words about it. */
const GOSSIP_BYTES_MAX = 262_144;
const FLOORS_AFTER = `${FLOORS}?after=`;

/** What is behind the door: one function for each path and method. */
export function peerRoutes(parts: RouteParts): HandleRequest {
  const { service } = parts;
  return (request) => {
    const { path } = request;
    if (path.startsWith(GET)) {
      allow(request, ['GET']);
      return getEntry(request, keyOf(path, GET), parts);
    }
    if (path.startsWith(SET)) {
      allow(request, ['PUT']);
      return putEntry(request, keyOf(path, SET), parts);
    }
    if (path.startsWith(FLOORS_AFTER)) {
      allow(request, ['GET']);
      return getFloors(path.slice(FLOORS_AFTER.length), service);
    }
    switch (path) {
      case `${PREFIX}batch`:
        allow(request, ['POST']);
        return postBatch(request, parts);
      case `${PREFIX}members`:
        allow(request, ['GET']);
        return { status: 200, body: formatHello(service.hello()) };
      case `${PREFIX}gossip`:
        allow(request, ['POST']);
        return postGossip(request, parts);
      case `${PREFIX}handover`:
        allow(request, ['POST']);
        return postHandover(request, service);
      case FLOORS:
        allow(request, ['GET', 'POST']);
        return request.method === 'GET' ? getFloors(undefined, service) : postFloors(request, parts);
      default:
        throw new HttpProblem(404, 'not-found', `there is nothing under this path; paths begin with ${PREFIX}`);
    }
  };
}

async function getEntry(request: PeerRequest, key: string, parts: RouteParts): Promise<PeerReply> {
  const [outcome] = request.hops === 1 ? readOwn(parts, key) : await parts.tier.read([key], callOf(parts.clock));
  const entry = entryOf(outcome);
  if (entry?.kind === 'tombstone') {
    throw new HttpProblem(410, 'deleted', 'the entry under this key was deleted', { headers: headersOf(entry) });
  }
  if (entry === undefined || !parts.floors.passes(key, entry)) {
    throw new HttpProblem(404, 'miss', 'there is no entry under this key');
  }
  if (entry.kind === 'absent') return { status: 204, headers: headersOf(entry) };
  return { status: 200, headers: headersOf(entry), body: entry.payload };
}

async function putEntry(request: PeerRequest, key: string, parts: RouteParts): Promise<PeerReply> {
  const payload = await request.body(PAYLOAD_BYTES_MAX);
  const entry = entryOfPut(request.header, payload, parts);
  const write = { key, entry, mode: 'set' } as const;
  const [outcome] =
    request.hops === 1
      ? parts.service.batch({ reads: [], writes: [{ key, mode: 'set', bytes: encodeEntry(entry) }], leases: [] }).writes
      : await parts.tier.write([write], callOf(parts.clock));
  return { status: 200, body: JSON.stringify(answerOfPut(outcome, entry)) };
}

async function postBatch(request: PeerRequest, { service, drift }: RouteParts): Promise<PeerReply> {
  const batch = decodeRequest(await request.body(BODY_BYTES_MAX));
  for (const { bytes } of batch.writes) drift.checkEncoded(bytes);
  for (const lease of batch.leases) if (lease.verb === 'acquire') drift.checkReading(lease.since);
  const answer = service.batch(batch);
  const hot = formatHot(answer.hot);
  const epoch = service.epoch();
  const theirs = request.header(EPOCH_HEADER);
  const differs = theirs !== undefined && theirs !== epoch;
  const headers = { ...(differs && { [EPOCH_HEADER]: epoch }), ...(hot !== undefined && { [HOT_HEADER]: hot }) };
  return { status: 200, body: encodeReply(answer), headers };
}

async function postHandover(request: PeerRequest, service: PeerService): Promise<PeerReply> {
  const handover = parseHandover((await request.body(GOSSIP_BYTES_MAX)).toString('utf8'));
  return { status: 200, body: encodePage(service.handover(handover)) };
}

async function postGossip(request: PeerRequest, { service, clock }: RouteParts): Promise<PeerReply> {
  const said = parseGossipRequest((await request.body(GOSSIP_BYTES_MAX)).toString('utf8'));
  const body = formatGossip(await service.gossip(said));
  return { status: 200, body, headers: { [TIME_HEADER]: String(Math.floor(clock.wallMs())) } };
}

function getFloors(mark: string | undefined, service: PeerService): PeerReply {
  if (mark !== undefined && !isMark(mark)) throw new HttpProblem(400, 'invalid-options', 'after is no mark of a log');
  return { status: 200, body: formatFloorList(service.floors(mark)) };
}

async function postFloors(request: PeerRequest, { service, drift }: RouteParts): Promise<PeerReply> {
  const floors = parseFloors((await request.body(BODY_BYTES_MAX)).toString('utf8'));
  for (const { hlc } of floors) drift.checkReading(hlc);
  service.takeFloors(floors);
  return { status: 200, body: JSON.stringify({ taken: floors.length }) };
}

function readOwn({ service }: RouteParts, key: string): readonly Outcome[] {
  return service.batch({ reads: [key], writes: [], leases: [] }).reads.map((read) => {
    if (typeof read === 'string' || 'doubted' in read) return { kind: 'miss' };
    const bytes = new Uint8Array(read.length);
    read.copyTo(bytes, 0);
    return { kind: 'found', entry: decodeEntry(bytes) };
  });
}

/** @throws HttpProblem 503 when it is not known whether there is an entry */
function entryOf(outcome: Outcome | undefined): Entry | undefined {
  switch (outcome?.kind) {
    case 'found':
      return outcome.entry;
    case 'failed':
      throw unavailable(outcome.error.message);
    case 'skipped':
      throw unavailable(outcome.why);
    default:
      return undefined;
  }
}

/** @throws HttpProblem 503 when it was kept nowhere */
function answerOfPut(outcome: WriteOutcome | undefined, entry: Entry): object {
  switch (outcome?.kind) {
    case 'stored':
      return { outcome: 'stored', version: encodeVersion(entry.version) };
    case 'superseded':
      return { outcome: 'superseded', ...(outcome.by === undefined ? {} : { version: encodeVersion(outcome.by) }) };
    case 'failed':
      throw unavailable(outcome.error.message);
    default:
      throw unavailable(outcome?.kind === 'skipped' ? outcome.why : 'nobody keeps it');
  }
}

function unavailable(why: string): HttpProblem {
  return new HttpProblem(503, 'unavailable', `no owner of this key could answer: ${why}`, {
    headers: { 'retry-after': '1' },
  });
}

function headersOf(entry: Entry): Record<string, string> {
  return {
    [VERSION_HEADER]: encodeVersion(entry.version),
    [FRESH_UNTIL_HEADER]: String(Math.floor(entry.freshUntilMs)),
    [KIND_HEADER]: entry.kind,
    [TAGS_HEADER]: formatTags(entry.tags),
  };
}

function callOf(clock: Clock): Call {
  return { deadlineAtMs: clock.monotonicMs() + REQUEST_MAX_MS, signal: undefined, reason: 'read' };
}

function allow({ method }: PeerRequest, methods: readonly string[]): void {
  if (methods.includes(method)) return;
  const allowed = methods.join(', ');
  throw new HttpProblem(405, 'method-not-allowed', `${method} is not for this path, use ${allowed}`, {
    headers: { allow: allowed },
  });
}

/**
 * What follows the prefix, decoded once. Dots and slashes in it mean nothing.
 * @throws HttpProblem 400 or 414, CacheError `invalid-key`
 */
function keyOf(path: string, prefix: string): string {
  const encoded = path.slice(prefix.length);
  if (encoded.includes('?')) {
    throw new HttpProblem(400, 'invalid-key', 'a question mark in a key is percent-encoded as %3F; there is no query');
  }
  const key = decodeText(encoded, 'invalid-key', 'key');
  const bytes = utf8Length(key);
  if (bytes > KEY_BYTES_MAX) {
    throw new HttpProblem(
      414,
      'invalid-key',
      `the key has ${bytes} bytes of UTF-8: at most ${KEY_BYTES_MAX} are allowed`,
    );
  }
  checkKey(key);
  return key;
}
