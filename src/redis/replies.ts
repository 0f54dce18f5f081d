import { CacheError } from '../core/errors.js';
import type { Reply } from './resp-parser.js';

/** Whether a reply has one part for each of what was asked for. */
export function isArray(reply: Reply, length: number): reply is readonly Reply[] {
  return Array.isArray(reply) && reply.length === length;
}

export function unlike(length: number): CacheError {
  return new CacheError('level-failed', `redis answered ${length} keys with something else`);
}

/** The slot is on its way to another node, and the keys of the command do not lie in one place. */
export function isTryAgain(error: Error): boolean {
  return error.message.startsWith('TRYAGAIN');
}
