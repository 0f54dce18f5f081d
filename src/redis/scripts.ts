import { createHash } from 'node:crypto';

/** A Lua script that the server knows by the hash of its text. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

export function makeScript(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

/**
 * Advances a stream and tells its listeners. One id serves all changes of a script run: what tells two histories of
 * one stream apart is that a change carries the id of the one before it, and both can only agree by the same run.
 */
export const ANNOUNCE = `
local call, sub = redis.call, string.sub
local seq, prev
local function announce(text)
  if not seq then
    local held = call('GET', KEYS[1])
    local colon = held and string.find(held, ':', 1, true)
    seq = colon and tonumber(sub(held, 1, colon - 1)) or 0
    prev = colon and sub(held, colon + 1) or '-'
  end
  seq = seq + 1
  call('SPUBLISH', ARGV[1], seq .. ' ' .. prev .. ' ' .. ARGV[2] .. ' ' .. text)
  prev = ARGV[2]
end
local function advance()
  if seq then call('SET', KEYS[1], seq .. ':' .. prev) end
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
 * Whatever is taken ends the lease on its key (lease-scripts.ts): the entry is there, or what its holder loads may be
 * outdated. So does a fill that is refused, unless it was asked for before the holder began: then it is somebody
 * else's, and late. If others wait for that end and nothing else is announced of the key, the end is.
 *
 * KEYS: the sequence key, then the entries, then their leases (may be left out). ARGV: channel, id of this run, where in a key of ours the key of the
 * entry begins, now (ms since the epoch), then for each entry: mode (`s` set, `f` fill), remaining life in whole ms
 * (0: dead), bytes. Replies, for each entry, with 1 when it was taken, else with the version that is kept instead.
 */
export const WRITE = makeScript(`${ANNOUNCE}
local byte = string.byte
local count = (#ARGV - 4) / 3
local replies = {}
for at = 2, count + 1 do
  local key, leaseKey, from = KEYS[at], KEYS[at + count], at * 3 - 1
  local isFill, life, inc = ARGV[from] == 'f', ARGV[from + 1], ARGV[from + 2]
  local version, isDelete = sub(inc, 1, 40), byte(inc, 74) == 2
  isFill = isFill and not isDelete
  local bytes, operation, reply = inc, isDelete and 'd' or (not isFill and 's' or nil), 1

  local cur = call('GETRANGE', key, 0, 89)
  -- Else there is nothing, or nothing that this release can have written.
  if #cur == 90 and byte(cur, 73) == 1 and byte(cur, 74) <= 2 then
    local curVersion, curFilled, curFence = sub(cur, 1, 40), sub(cur, 41, 56), sub(cur, 57, 72)
    local filled, fence = sub(inc, 41, 56), sub(inc, 57, 72)
    local wasDeleted = byte(cur, 74) == 2
    local knowsMore, knowsLess = fence > curFence, curFence > fence
    if knowsLess then
      fence = curFence
      bytes = sub(inc, 1, 56) .. fence .. sub(inc, 73)
    end
    local isLive = not wasDeleted and curFilled > fence
    local shows = not isDelete and filled > fence
    local isNewer, isSame = version > curVersion, version == curVersion
    if isFill and sub(version, 13, 28) == '0000000000000000' then
      -- Loaded data that know their own time: the same as what was set with that time.
      isSame = sub(version, 1, 12) == sub(curVersion, 1, 12)
    end
    local isFresher = isNewer or (isSame and filled > curFilled)
    -- That there is nothing has no version: it is news if it was asked for later.
    local isAbsent = byte(inc, 74) == 1
    if isFill and isAbsent then isFresher = filled > curFilled end
    local isTop
    if isFill then
      isTop = shows and (isFresher or not isLive)
    else
      isTop = isNewer or (isSame and wasDeleted) or (isFresher and not isDelete)
    end

    if isTop and shows then
      if isFill and isLive and not isNewer then
        version = curVersion
        bytes = version .. sub(bytes, 41)
      end
      if isFill and (not isLive or not isSame or byte(inc, 74) ~= byte(cur, 74)) then
        operation = isAbsent and 'd' or 'f'
      end
    elseif (isLive and not isTop) or (isFill and wasDeleted) then
      if knowsMore then call('SETRANGE', key, 56, fence) end
      bytes, operation, reply = nil, nil, curVersion
    else
      -- Neither of the two shows: what remains is the latest delete and the newest version known.
      if not isNewer then version = curVersion end
      local latest = knowsMore and inc or cur
      local fresh, theirs = sub(inc, 83, 90), sub(cur, 83, 90)
      if struct.unpack('>d', theirs) > struct.unpack('>d', fresh) then fresh = theirs end
      bytes = version .. sub(version, 13, 28) .. fence .. '\\1\\2' .. sub(latest, 75, 82) .. fresh
        .. string.rep('\\0', 17)
      local left = math.ceil(struct.unpack('>d', fresh) - tonumber(ARGV[4]))
      life = left > 0 and string.format('%.0f', left) or '0'
      local isTaken = isDelete and not knowsLess
      operation = (isTaken or not wasDeleted) and 'd'
      if not isTaken then reply = version end
    end
  end

  -- A tombstone expires as well, and so is evictable under volatile-* policies.
  if bytes and life ~= '0' then
    call('SET', key, bytes, 'PX', life)
  elseif bytes then
    -- Dead on arrival. It supersedes what was there all the same.
    call('DEL', key)
  end
  local news = operation and version .. ' ' .. operation
  local lease = leaseKey and call('GET', leaseKey)
  if lease and (reply == 1 or (isFill and sub(inc, 41, 56) >= sub(lease, 2, 17))) then
    call('DEL', leaseKey)
    news = news or (byte(lease) == 49 and 'l')
  end
  if news then announce(news .. ' ' .. sub(key, ARGV[3])) end
  replies[at - 1] = reply
end
advance()
return replies
`);
