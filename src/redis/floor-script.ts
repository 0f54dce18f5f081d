import { FLOORS_MAX, type Floor } from '../core/floors.js';
import { decodeHlc, encodeHlc } from '../core/version.js';
import type { FloorKeys } from './key-layout.js';
import { ANNOUNCE, makeScript } from './scripts.js';

/**
 * Raises floors: keeps the later reading of each and tells the listeners what is news, by the rules of `Floors` in
 * src/core/floors.ts; a test holds the two together. When there are more than the bound, the older half becomes one
 * floor over everything.
 *
 * KEYS: sequence key, hash. ARGV: channel, id of this run, most floors, then field and reading of each.
 */
export const RAISE = makeScript(`${ANNOUNCE}
local hash, most = KEYS[2], tonumber(ARGV[3])
local ALL = 'all|'

local function raiseAll(hlc)
  local held = redis.call('HGETALL', hash)
  for at = 1, #held, 2 do
    if held[at + 1] <= hlc then redis.call('HDEL', hash, held[at]) end
  end
  redis.call('HSET', hash, ALL, hlc)
  announce(hlc .. ' ' .. ALL)
end

for at = 4, #ARGV, 2 do
  local field, hlc = ARGV[at], ARGV[at + 1]
  local known = redis.call('HMGET', hash, ALL, field)
  if hlc > (known[1] or '') and hlc > (known[2] or '') then
    if field == ALL then
      raiseAll(hlc)
    else
      redis.call('HSET', hash, field, hlc)
      announce(hlc .. ' ' .. field)
    end
  end
end

if redis.call('HLEN', hash) - redis.call('HEXISTS', hash, ALL) > most then
  local readings = redis.call('HVALS', hash)
  table.sort(readings)
  raiseAll(readings[math.floor(#readings / 2) + 1])
end
advance()
return 1
`);

export function raiseArguments({ sequenceKey, hashKey, channel }: FloorKeys, id: string, floors: readonly Floor[]) {
  const pairs = floors.flatMap((floor) => [fieldOf(floor), encodeHlc(floor.hlc)]);
  return { keys: [sequenceKey, hashKey], values: [channel, id, String(FLOORS_MAX), ...pairs] };
}

const FIELD = /^(all|partition|tag|pattern)\|(.*)$/s;
const HLC_FORM = /^[0-9a-f]{16}$/;

function fieldOf({ scope, subject }: Floor): string {
  return `${scope}|${subject}`;
}

/** The floor of a field and its value, or undefined for what no release has written. */
export function parseFloor(field: string, hlc: string): Floor | undefined {
  const [, scope, subject] = FIELD.exec(field) ?? [];
  if (scope === undefined || subject === undefined || !HLC_FORM.test(hlc)) return undefined;
  return { scope: scope as Floor['scope'], subject, hlc: decodeHlc(hlc) };
}
