import { createHash } from 'node:crypto';
import type { RedisArgument } from './redis-link.js';

/** A Lua script that the server knows by the hash of its text. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

export function makeScript(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

/**
 * The two commands that run a script: by hash, and, when a server answers that it does not know it (a new primary
 * never does), by text. A script is addressed by its content, so nodes of two releases can share a Redis, and nothing
 * has to be loaded before the first write after a fail-over.
 */
export function scriptCommands(
  { text, sha }: Script,
  keys: readonly string[],
  values: readonly RedisArgument[],
): { readonly byHash: RedisArgument[]; readonly byText: RedisArgument[] } {
  const rest = [String(keys.length), ...keys, ...values];
  return { byHash: ['EVALSHA', sha, ...rest], byText: ['EVAL', text, ...rest] };
}

export function isUnknownScript(error: Error): boolean {
  return error.message.startsWith('NOSCRIPT');
}

/**
 * Advances a stream and tells its listeners. One id serves all changes of a script run: what tells two histories of
 * one stream apart is that a change carries the id of the one before it, and both can only agree by the same run.
 */
export const ANNOUNCE = `
local seq, prev
local function announce(text)
  if not seq then
    local held = redis.call('GET', KEYS[1])
    local colon = held and string.find(held, ':', 1, true)
    seq = colon and tonumber(string.sub(held, 1, colon - 1)) or 0
    prev = colon and string.sub(held, colon + 1) or '-'
  end
  seq = seq + 1
  redis.call('SPUBLISH', ARGV[1], string.format('%.0f', seq) .. ' ' .. prev .. ' ' .. ARGV[2] .. ' ' .. text)
  prev = ARGV[2]
end
local function advance()
  if seq then redis.call('SET', KEYS[1], string.format('%.0f', seq) .. ':' .. prev) end
end
`;

/**
 * Writes entries of one partition, each as `mergeEntries` of src/core/entry.ts decides; a property test holds the two
 * together. Of a stored entry only the fixed part is looked at (src/core/entry-format.ts; offsets below count from 1):
 * version 1-40, fill start 41-56, fence 57-72, format 73, kind 74, created at 75-82, fresh until 83-90.
 * Readings and versions are lower-case hex of fixed width, because Lua compares strings by the locale of the server.
 *
 * What is announced: every set and delete that was taken, and whatever else takes a visible value away or replaces it
 * by other data. Not a fill of nothing, nor one of the same data: it tells nobody anything new. Whoever holds an older
 * copy was told so when the newer data were *set*; a copy that outlived an entry evicted here is bounded by its own
 * TTL, and no acknowledged write lies between the two. That keeps reads that merely warm the cache off the feed.
 *
 * KEYS: the sequence key, then the entries. ARGV: channel, id of this run, length of the entry prefix, now (ms since
 * the epoch), then for each entry: mode (`s` set, `f` fill), remaining life in ms (0 or less: dead), bytes.
 * Replies, for each entry, with 1 when it was taken, else with the version that is kept instead.
 */
export const WRITE = makeScript(`${ANNOUNCE}
local prefix, now = tonumber(ARGV[3]), tonumber(ARGV[4])

local function store(key, bytes, life)
  if life > 0 then
    redis.call('SET', key, bytes, 'PX', string.format('%.0f', life))
  else
    -- Dead on arrival. It supersedes what was there all the same.
    redis.call('DEL', key)
  end
end

local function write(key, isFill, life, inc)
  local name = string.sub(key, prefix + 1)
  local cur = redis.call('GETRANGE', key, 0, 89)
  local kind = string.byte(inc, 74)
  local version = string.sub(inc, 1, 40)
  local isDelete = kind == 2
  isFill = isFill and not isDelete
  local _, last = string.find(cur, '^[0-9a-f]+\\1[%z\\1\\2]')
  if last ~= 74 or #cur < 90 then
    -- Nothing there, or nothing that we can have written.
    store(key, inc, life)
    if not isFill then announce(version .. (isDelete and ' d ' or ' s ') .. name) end
    return 1
  end

  local curVersion, curFence, curKind = string.sub(cur, 1, 40), string.sub(cur, 57, 72), string.byte(cur, 74)
  local curFilled = string.sub(cur, 41, 56)
  local filled, fence = string.sub(inc, 41, 56), string.sub(inc, 57, 72)
  local knowsMore, knowsLess = fence > curFence, curFence > fence
  if knowsLess then
    fence = curFence
    inc = string.sub(inc, 1, 56) .. fence .. string.sub(inc, 73)
  end
  local isLive = curKind ~= 2 and curFilled > fence
  local shows = not isDelete and filled > fence
  local isNewer, isSame = version > curVersion, version == curVersion
  if isFill and string.sub(version, 13, 28) == '0000000000000000' then
    -- Loaded data that know their own time: the same as what was set with that time.
    isSame = string.sub(version, 1, 12) == string.sub(curVersion, 1, 12)
  end
  local isFresher = isNewer or (isSame and filled > curFilled)

  local isTop
  if isFill then
    isTop = shows and (isFresher or not isLive)
  else
    isTop = isNewer or (isSame and curKind == 2) or (isFresher and not isDelete)
  end
  if isTop and shows then
    if isFill and isLive and not isNewer then
      version = curVersion
      inc = version .. string.sub(inc, 41)
    end
    store(key, inc, life)
    if not isFill or not isLive or not isSame then announce(version .. (isFill and ' f ' or ' s ') .. name) end
    return 1
  end
  if (isLive and not isTop) or (isFill and curKind == 2) then
    if knowsMore then redis.call('SETRANGE', key, 56, fence) end
    return curVersion
  end

  -- Neither of the two shows: what remains is the latest delete and the newest version known. This is also where a
  -- tombstone gets an expiry, and with it becomes evictable under volatile-* policies.
  local known = isNewer and version or curVersion
  local latest = knowsMore and inc or cur
  local fresh, theirs = string.sub(inc, 83, 90), string.sub(cur, 83, 90)
  if struct.unpack('>d', theirs) > struct.unpack('>d', fresh) then fresh = theirs end
  local bytes = known .. string.sub(known, 13, 28) .. fence .. '\\1\\2' .. string.sub(latest, 75, 82) .. fresh
    .. string.rep('\\0', 17)
  store(key, bytes, math.ceil(struct.unpack('>d', fresh) - now))
  local isTaken = isDelete and not knowsLess
  if isTaken or curKind ~= 2 then announce(known .. ' d ' .. name) end
  return isTaken and 1 or known
end

local replies = {}
for at = 2, #KEYS do
  local from = 5 + (at - 2) * 3
  replies[at - 1] = write(KEYS[at], ARGV[from] == 'f', tonumber(ARGV[from + 1]), ARGV[from + 2])
end
advance()
return replies
`);
