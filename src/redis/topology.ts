import { CacheError } from '../core/errors.js';
import { formatAddress, parseAddress } from './address.js';
import { SLOTS, type SlotRange } from './slot-table.js';

/**
 * The primaries of the reply to `CLUSTER SLOTS`: `[[first, last, [endpoint, port, id, ...], replica, ...], ...]`.
 * A node whose own endpoint is unknown to the cluster is the one we asked.
 * (https://redis.io/docs/latest/commands/cluster-slots/)
 * @param asked address of the node that replied
 * @throws CacheError `level-failed` for a reply of another form
 */
export function parseClusterSlots(reply: unknown, asked: string): SlotRange[] {
  if (!Array.isArray(reply)) throw malformed(reply);
  return reply.map((range: unknown) => {
    if (!Array.isArray(range) || !Array.isArray(range[2])) throw malformed(reply);
    const [first, last] = range as unknown[];
    const [endpoint, port] = range[2] as unknown[];
    if (!isSlot(first) || !isSlot(last) || typeof port !== 'number') throw malformed(reply);
    return { first, last, address: formatAddress({ host: hostOf(endpoint, asked), port }) };
  });
}

/** Where a server sends a command instead. */
export interface Redirect {
  readonly kind: 'moved' | 'ask';
  readonly address: string;
}

const REDIRECT = /^(MOVED|ASK) \d+ (.*):(\d+)$/;

/** What a `MOVED` or `ASK` error says, or undefined for any other error. */
export function parseRedirect(message: string, asked: string): Redirect | undefined {
  const [, word, endpoint, port] = REDIRECT.exec(message) ?? [];
  if (word === undefined) return undefined;
  const address = formatAddress({ host: hostOf(endpoint, asked), port: Number(port) });
  return { kind: word === 'MOVED' ? 'moved' : 'ask', address };
}

function isSlot(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value < SLOTS;
}

function hostOf(endpoint: unknown, asked: string): string {
  const host = endpoint instanceof Buffer || typeof endpoint === 'string' ? endpoint.toString() : '';
  return host === '' || host === '?' ? parseAddress(asked).host : host;
}

function malformed(reply: unknown): CacheError {
  const start = JSON.stringify(reply)?.slice(0, 100);
  return new CacheError('level-failed', `a node answered CLUSTER SLOTS with something else: ${start}`);
}
