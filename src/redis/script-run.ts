import type { Call } from '../core/call.js';
import type { Chance } from '../core/chance.js';
import type { RedisConnections } from './connections.js';
import type { ReplyTaker } from './reply-ring.js';
import type { RedisArgument } from './resp-encoder.js';
import type { Reply } from './resp-parser.js';
import type { Script } from './scripts.js';

/**
 * Runs a script on the primary of a slot: by its hash, or, when the server answers that it does not know it (a new
 * primary never does), by its text. A script is addressed by its content, so nodes of two releases can share a Redis,
 * and nothing has to be loaded before the first write after a fail-over.
 */
export function askScript(
  connections: RedisConnections,
  call: Call,
  slot: number,
  { sha, text }: Script,
  keys: readonly string[],
  values: readonly RedisArgument[],
  taker: ReplyTaker,
): void {
  const args: RedisArgument[] = ['EVALSHA', sha, String(keys.length)];
  for (const key of keys) args.push(key);
  for (const value of values) args.push(value);
  connections.ask(slot, args, call, {
    take: (reply) => taker.take(reply),
    fail: (error) => {
      if (!error.message.startsWith('NOSCRIPT')) taker.fail(error);
      else connections.ask(slot, ['EVAL', text, ...args.slice(2)], call, taker);
    },
  });
}

/** As `askScript`, with a promise. */
export function runScript(
  connections: RedisConnections,
  call: Call,
  slot: number,
  script: Script,
  keys: readonly string[],
  values: readonly RedisArgument[],
): Promise<Reply> {
  return new Promise((resolve, reject) =>
    askScript(connections, call, slot, script, keys, values, { take: resolve, fail: reject }),
  );
}

const RUN_IDS = 2 ** 48;

/** What no other run of a script is called: 48 bits. */
export function makeRunId(chance: Chance): string {
  return Math.floor(chance.next() * RUN_IDS).toString(36);
}
