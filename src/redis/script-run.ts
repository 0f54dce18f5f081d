import type { Call } from '../core/call.js';
import type { Chance } from '../core/chance.js';
import { toError } from '../core/errors.js';
import type { RedisConnections } from './connections.js';
import type { RedisArgument } from './redis-link.js';
import type { Script } from './scripts.js';

/**
 * Runs a script on the primary of a slot: by its hash, or, when the server answers that it does not know it (a new
 * primary never does), by its text. A script is addressed by its content, so nodes of two releases can share a Redis,
 * and nothing has to be loaded before the first write after a fail-over.
 */
export function runScript(
  connections: RedisConnections,
  call: Call,
  slot: number,
  { sha, text }: Script,
  keys: readonly string[],
  values: readonly RedisArgument[],
): Promise<unknown> {
  const rest = [String(keys.length), ...keys, ...values];
  return connections.send(slot, ['EVALSHA', sha, ...rest], call).catch((thrown: unknown) => {
    if (!toError(thrown).message.startsWith('NOSCRIPT')) throw thrown;
    return connections.send(slot, ['EVAL', text, ...rest], call);
  });
}

const RUN_IDS = 2 ** 48;

/** What no other run of a script is called: 48 bits. */
export function makeRunId(chance: Chance): string {
  return Math.floor(chance.next() * RUN_IDS).toString(36);
}
