import type { Call } from '../core/call.js';
import type { Chance } from '../core/chance.js';
import { toError } from '../core/errors.js';
import type { RedisConnections } from './connections.js';
import type { RedisArgument } from './redis-link.js';
import { isUnknownScript, type Script, scriptCommands } from './scripts.js';

/** Runs a script on the primary of a slot, by its hash if the server knows it. */
export async function runScript(
  connections: RedisConnections,
  call: Call,
  slot: number,
  script: Script,
  keys: readonly string[],
  values: readonly RedisArgument[],
): Promise<unknown> {
  const { byHash, byText } = scriptCommands(script, keys, values);
  try {
    return await connections.send(slot, byHash, call);
  } catch (thrown) {
    if (!isUnknownScript(toError(thrown))) throw thrown;
    return connections.send(slot, byText, call);
  }
}

const RUN_IDS = 2 ** 48;

/** What no other run of a script is called: 48 bits. */
export function makeRunId(chance: Chance): string {
  return Math.floor(chance.next() * RUN_IDS).toString(36);
}
