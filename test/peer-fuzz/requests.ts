import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeRequest, type WireWrite } from '../../src/peer/wire.js';
import { type Signing, signedHead } from '../peer/signing.js';
import type { Dice } from './dice.js';
import { mutateBytes, mutateJson } from './mutations.js';

/** What goes over a socket, and whether its end can be told, so that another may follow on the same connection. */
export interface FuzzRequest {
  readonly what: string;
  readonly bytes: Buffer;
  readonly isWhole: boolean;
}

const golden = (name: string): Buffer => readFileSync(join(import.meta.dirname, '../golden', name));
const ENTRIES = ['value', 'absent', 'tombstone'].map((kind) => golden(`entry-1-${kind}.bin`));
const GOSSIP: unknown = JSON.parse(golden('gossip-1-request.json').toString('utf8'));
const HANDOVER = { v: 1, epoch: '', buckets: [0, 1, 4_095], after: 'k' };
const FLOORS = { floors: [{ scope: 'tag', subject: 'fuzz', hlc: '0000000000010000' }] };
const CACHE = '/internal/cache/';
const SECRETS = ['not-the-secret-of-this-city', ''];
const METHODS = ['GET', 'PUT', 'POST', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'TRACE'];
const PATHS = [
  'batch',
  'gossip',
  'handover',
  'floors',
  'floors?after=ab.1',
  'members',
  'get/k',
  'set/k',
  '',
  '..',
  'nothing',
];
const KEYS = [
  'k',
  '..%2F..%2Fetc%2Fpasswd',
  '../a',
  '%00',
  '%c0%af',
  '%ff',
  '%ed%a0%80',
  '%',
  '%2',
  '%zz',
  'a?b',
  '',
  '%F0%9F%9A%9A',
  '//',
  'k%0d%0ahost:x',
];
const TIMES = ['30s', '0', '-5', '', 'soon', '1e9', '999999999999999', '30S', '5m', '1000d', 'NaN'];
const TAGS = [
  'a',
  'a,b',
  '%ff',
  ',,,',
  'x'.repeat(300),
  Array.from({ length: 40 }, (_, i) => `t${i}`).join(','),
  '%2C',
];
const HOPS = ['0', '1', '1', '1', '2', '-1', 'x'];

/** One request, by `dice`; most are wrong in one way, so that they come as far as what they are to try. */
export function requestOf(dice: Dice, address: string, last: Buffer | undefined): FuzzRequest {
  const kind = dice.int(100);
  if (kind < 5) return { what: 'noise', bytes: dice.bytes(dice.int(2_000)), isWhole: false };
  if (kind < 14) return { what: 'framing', bytes: framing(dice, address), isWhole: false };
  if (kind < 20) return whole('head', mutatedHead(dice, address));
  if (kind < 25) return whole('forged', forged(dice, address));
  if (kind < 28 && last !== undefined) return whole('replay', last);
  if (kind < 45) return whole('key', byKey(dice, address));
  if (kind < 73) return whole('batch', post(dice, address, 'batch', batch(dice)));
  if (kind < 85) return whole('gossip', post(dice, address, 'gossip', Buffer.from(mutateJson(dice, GOSSIP))));
  if (kind < 90) return whole('handover', post(dice, address, 'handover', Buffer.from(mutateJson(dice, HANDOVER))));
  if (kind < 95) return whole('floors', post(dice, address, 'floors', Buffer.from(mutateJson(dice, FLOORS))));
  return whole('path', anyPath(dice, address));
}

function whole(what: string, bytes: Buffer): FuzzRequest {
  return { what, bytes, isWhole: true };
}

function signed(signing: Signing, lines = ''): Buffer {
  const body = Buffer.from(signing.body ?? '');
  const head = `${signedHead({ ...signing, body })}content-length: ${body.length}\r\n${lines}\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), body]);
}

function post(dice: Dice, address: string, name: string, body: Buffer): Buffer {
  const epoch = dice.pick([dice.hex(16), '', 'x'.repeat(dice.int(2_000)), '../']);
  const headers = { 'x-fleetflow-hops': '1', ...(dice.chance(0.3) && { 'x-fleetflow-epoch': epoch }) };
  const type = dice.pick(['', 'content-type: text/html\r\n', 'content-type: application/json\r\n']);
  return signed({ method: 'POST', path: CACHE + name, address, headers, body }, type);
}

function batch(dice: Dice): Buffer {
  if (dice.chance(0.002)) return Buffer.alloc(9 * 1_048_576, 'F');
  const key = () => dice.pick(['k', '\0', '../', 'x'.repeat(1_024), '\u{1f69a}', dice.hex(8)]);
  const writes = Array.from({ length: dice.int(4) }, (): WireWrite => {
    const entry = dice.pick(ENTRIES);
    const bytes = dice.chance(0.5) ? mutateBytes(dice, entry) : entry;
    return { key: key(), mode: dice.pick(['set', 'fill']), bytes };
  });
  const since = { ms: dice.int(2 ** 41), counter: dice.int(65_536) };
  const from = dice.pick(['127.0.0.1:1', '', 'x', '\0']);
  const request = encodeRequest({
    reads: Array.from({ length: dice.int(5) }, key),
    writes,
    leases: Array.from({ length: dice.int(3) }, () =>
      dice.chance(0.7)
        ? { verb: 'acquire', key: key(), token: dice.hex(8), since, from }
        : { verb: dice.pick(['renew', 'release']), key: key(), token: dice.hex(2) },
    ),
  });
  return dice.chance(0.7) ? mutateBytes(dice, request) : request;
}

function byKey(dice: Dice, address: string): Buffer {
  const rest = dice.chance(0.8) ? dice.pick(KEYS) : dice.pick(['k', '%00', '%d0%b6']).repeat(dice.int(1_200));
  const headers: Record<string, string> = { 'x-fleetflow-hops': dice.pick(HOPS) };
  if (dice.chance(0.5)) return signed({ method: 'GET', path: `${CACHE}get/${rest}`, address, headers });
  if (dice.chance(0.9)) headers['x-fleetflow-ttl'] = dice.chance(0.6) ? '30s' : dice.pick(TIMES);
  if (dice.chance(0.3)) headers['x-fleetflow-tags'] = dice.pick(TAGS);
  if (dice.chance(0.3)) headers['x-fleetflow-event-time'] = dice.pick([...TIMES, String(Date.now()), '4000000000000']);
  const body = dice.chance(0.01) ? Buffer.alloc(5 * 1_048_576) : dice.bytes(dice.int(300));
  return signed({ method: 'PUT', path: `${CACHE}set/${rest}`, address, headers, body });
}

function anyPath(dice: Dice, address: string): Buffer {
  const path = dice.chance(0.8) ? CACHE + dice.pick(PATHS) : `/${dice.hex(dice.int(60))}`;
  const body = dice.bytes(dice.int(40));
  return signed({ method: dice.pick(METHODS), path, address, body });
}

/** Signed by who does not know the secret, at another time, or for something else. */
function forged(dice: Dice, address: string): Buffer {
  const signing: Signing = { method: 'GET', path: `${CACHE}get/k`, address };
  switch (dice.int(4)) {
    case 0:
      return signed({ ...signing, secret: `${dice.pick(SECRETS)}x` });
    case 1:
      return signed({ ...signing, timeMs: Date.now() + dice.pick([-60_000, 60_000, -1_600_000_000_000]) });
    case 2:
      return Buffer.from(signed(signing).toString('latin1').replace('get/k', 'get/j'), 'latin1');
    default: {
      const put = {
        ...signing,
        method: 'PUT',
        path: `${CACHE}set/k`,
        headers: { 'x-fleetflow-ttl': '30s' },
        body: 'mine',
      };
      return Buffer.from(signed(put).toString('latin1').replace(/mine$/, 'hers'), 'latin1');
    }
  }
}

/** A good request with a header changed, dropped, doubled or added. */
function mutatedHead(dice: Dice, address: string): Buffer {
  const text = signed({ method: 'GET', path: `${CACHE}get/k`, address }).toString('latin1');
  const [first = '', ...lines] = text.split('\r\n');
  const at = dice.int(Math.max(1, lines.length - 2));
  const line = lines[at] ?? '';
  const [name = ''] = line.split(':');
  const value = dice.pick(['', 'x', dice.hex(200), 'FFC1 '.repeat(30), `Bearer ${dice.hex(20)}`]);
  const others = dice.pick([[], [line, line], [`${name}: ${value}`], [line, `${name}: ${value}`]]);
  return Buffer.from([first, ...lines.toSpliced(at, 1, ...others)].join('\r\n'), 'latin1');
}

/** What is no HTTP/1.1 request, or ends otherwise than it says. */
function framing(dice: Dice, address: string): Buffer {
  const good = signed({ method: 'POST', path: `${CACHE}batch`, address, body: batch(dice).subarray(0, 4_000) });
  const text = good.toString('latin1');
  const replaced = (from: RegExp | string, to: string) => Buffer.from(text.replace(from, to), 'latin1');
  switch (dice.int(9)) {
    case 0:
      return good.subarray(0, dice.int(good.length));
    case 1:
      return replaced(
        /content-length: \d+/,
        `content-length: ${dice.pick(['-1', '99999999999999999999', '1e3', '0x10', '', '5, 5'])}`,
      );
    case 2:
      return replaced(
        /content-length: \d+/,
        `transfer-encoding: ${dice.pick(['chunked', 'gzip, chunked', 'xchunked', 'chunked, chunked'])}`,
      );
    case 3:
      return replaced(/content-length: /, 'transfer-encoding: chunked\r\ncontent-length: ');
    case 4:
      return replaced('HTTP/1.1', dice.pick(['HTTP/1.0', 'HTTP/2.0', 'HTTP/9.9', 'HTTP', 'HTTPS/1.1', '']));
    case 5:
      return replaced('\r\n', `\r\n${`x-${dice.hex(8)}: ${'y'.repeat(dice.int(3_000))}\r\n`.repeat(dice.int(60))}`);
    case 6:
      return replaced('host:', dice.pick(['host :', 'ho\0st:', ' host:', 'hóst:', '']));
    case 7:
      return replaced(/\r\n/g, dice.pick(['\n', '\r', '\r\r\n']));
    default:
      return mutateBytes(dice, good);
  }
}
