import { FLOOR_LIFE_MS, FLOOR_OVERTIME_MS, FLOORS_MAX, type Floor } from '../core/floors.js';
import { decodeHlc, encodeHlc } from '../core/version.js';
import type { FloorKeys } from './key-layout.js';
import { ANNOUNCE, makeScript } from './scripts.js';

/**
 * Raises floors: keeps the later reading of each and tells the listeners what is news, by the rules of `Floors` in
 * src/core/floors.ts; a test holds the two together. When there are more than the bound, the older half becomes one
 * floor over everything; so do those that are too old. The hash has one field of its own: than which no floor is older.
 *
 * KEYS: sequence key, hash. ARGV: channel, id of this run, most floors, how long one is kept and how much longer the
 * oldest waits (ms), then field and reading of each.
 */
export const RAISE = makeScript(`${ANNOUNCE}
local hash, most, lifeMs, overtimeMs = KEYS[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local ALL, OLDEST = 'all|', 'oldest|'
local function msOf(hlc) return tonumber(sub(hlc, 1, 12), 16) or math.huge end

-- Calls a function with the fields and readings of the floors, but for the one over everything.
local function visit(each)
  local held = call('HGETALL', hash)
  for at = 1, #held, 2 do
    if held[at] ~= ALL and held[at] ~= OLDEST then each(held[at], held[at + 1]) end
  end
end

-- Removes the floors that one at this reading makes needless, and finds the oldest of the others.
local function sweep(hlc)
  local oldest
  visit(function(field, reading)
    if reading <= hlc then
      call('HDEL', hash, field)
    elseif not oldest or reading < oldest then
      oldest = reading
    end
  end)
  call('HDEL', hash, OLDEST)
  if oldest then call('HSET', hash, OLDEST, oldest) end
end

local function raiseAll(hlc)
  sweep(hlc)
  call('HSET', hash, ALL, hlc)
  announce(hlc .. ' ' .. ALL)
end

local function foldOld(untilMs)
  local latest = ''
  visit(function(_, reading)
    if msOf(reading) <= untilMs and reading > latest then latest = reading end
  end)
  if latest == '' then sweep('') else raiseAll(latest) end
end

for at = 6, #ARGV, 2 do
  local field, hlc = ARGV[at], ARGV[at + 1]
  local known = call('HMGET', hash, ALL, field, OLDEST)
  if hlc > (known[1] or '') and hlc > (known[2] or '') then
    if field == ALL then
      raiseAll(hlc)
    else
      call('HSET', hash, field, hlc)
      announce(hlc .. ' ' .. field)
      if not known[3] or hlc < known[3] then call('HSET', hash, OLDEST, hlc) end
    end
    local oldest = call('HGET', hash, OLDEST)
    if oldest and msOf(oldest) <= msOf(hlc) - lifeMs - overtimeMs then foldOld(msOf(hlc) - lifeMs) end
  end
end

if call('HLEN', hash) - call('HEXISTS', hash, ALL) - call('HEXISTS', hash, OLDEST) > most then
  local readings = { call('HGET', hash, ALL) or nil }
  visit(function(_, reading) readings[#readings + 1] = reading end)
  table.sort(readings)
  raiseAll(readings[math.floor(#readings / 2) + 1])
end
advance()
return 1
`);

export function raiseArguments({ sequenceKey, hashKey, channel }: FloorKeys, id: string, floors: readonly Floor[]) {
  const pairs = floors.flatMap((floor) => [fieldOf(floor), encodeHlc(floor.hlc)]);
  return {
    keys: [sequenceKey, hashKey],
    values: [channel, id, String(FLOORS_MAX), String(FLOOR_LIFE_MS), String(FLOOR_OVERTIME_MS), ...pairs],
  };
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
