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
 * What is kept of deletes has no TTL, because Redis may evict whatever has one:
 * - A tombstone lies under the key of its entry, where readers find it.
 * - When a value is stored over one, its head goes to the hash of *graves*. Where no entry is, the grave counts as one:
 *   so the delete is not forgotten when the value expires or is evicted.
 * - A sorted set says when each may go. Every so many changes a run removes those that may, and the oldest of those
 *   that are too many.
 * - What went leaves its fence. The latest of them is the *grave floor*, field '' of the hash: where there is neither
 *   entry nor grave, nothing that is dated at or before it comes in.
 * Those keys lie in the slot of the others and are not declared: a slot on its way to another node answers for several
 * keys only if all of them exist. Where they cannot be reached then, a tombstone has a TTL.
 *
 * KEYS: the sequence key, then the entries, then their leases (may be left out). ARGV: channel, id of this run, where
 * in a key of ours the key of the entry begins, now (ms since the epoch), the hash of graves, the sorted set of when
 * they may go, how many there may be, until when a delete that came with a value is kept (float64, big-endian); then
 * for each entry: mode (`s` set, `f` fill), remaining life in whole ms (0: dead), bytes. Replies, for each entry, with
 * 1 when it was taken, else with the version that is kept instead, or `-` for what the grave floor refuses.
 */
export const WRITE = makeScript(`${ANNOUNCE}
local byte, rep, unpack = string.byte, string.rep, struct.unpack
local graves, times, now, most, untilNew = ARGV[5], ARGV[6], tonumber(ARGV[4]), tonumber(ARGV[7]), ARGV[8]
local ZERO, TRIM_EVERY, TRIM_MOST = '0000000000000000', 16, 256
local told, count, replies = 0, (#ARGV - 8) / 3, {}

-- Takes one entry in by all the rules. Made when it is needed: most runs do without.
local function makeMerge()
  -- Nothing, where the slot is on its way and the key cannot be reached.
  local function try(...)
    local got = redis.pcall(...)
    if type(got) == 'table' and got.err then return nil end
    return got
  end
  local function goneAt(head) return (unpack('>d', sub(head, 83, 90))) end
  local function fenced(head, fence) return sub(head, 1, 56) .. fence .. sub(head, 73) end
  local function newGrave(fence, head) return rep('0', 56) .. fence .. '\\1\\2' .. sub(head, 75, 82) .. untilNew end

  -- From now on the grave floor stands for this delete. Returns the floor.
  local function forget(member, fence)
    local floor = try('HGET', graves, '') or ZERO
    if fence > floor then
      floor = fence
      try('HSET', graves, '', floor)
    end
    try('HDEL', graves, member)
    try('ZREM', times, member)
    return floor
  end

  -- Returns the reply, and what is announced of which version.
  local function merge(key, member, inc, life, isFill, cur)
    local version, isDelete, filled, fence = sub(inc, 1, 40), byte(inc, 74) == 2, sub(inc, 41, 56), sub(inc, 57, 72)
    local bytes, operation, reply = inc, isDelete and 'd' or (not isFill and 's' or nil), 1

    local isGrave, floor, grave = false, ZERO, nil
    -- Else there is nothing, or nothing that this release can have written.
    if #cur ~= 90 or byte(cur, 73) ~= 1 or byte(cur, 74) > 2 then cur = nil end
    if cur and byte(cur, 74) == 2 and goneAt(cur) <= now then
      call('DEL', key)
      forget(member, sub(cur, 57, 72))
      cur = nil
    end
    if not cur then
      local known = try('HMGET', graves, member, '') or {}
      floor = known[2] or ZERO
      if known[1] and goneAt(known[1]) <= now then
        floor = forget(member, sub(known[1], 57, 72))
      elseif known[1] then
        cur, isGrave = known[1], true
      end
    end

    if cur then
      local curVersion, curFilled, curFence = sub(cur, 1, 40), sub(cur, 41, 56), sub(cur, 57, 72)
      local wasDeleted = byte(cur, 74) == 2
      local knowsMore, knowsLess = fence > curFence, curFence > fence
      if knowsLess then
        fence = curFence
        bytes = fenced(inc, fence)
      end
      local isLive = not wasDeleted and curFilled > fence
      local shows = not isDelete and filled > fence
      local isNewer, isSame = version > curVersion, version == curVersion
      if isFill and sub(version, 13, 28) == ZERO then
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
        if isFill and not isGrave and (not isLive or not isSame or byte(inc, 74) ~= byte(cur, 74)) then
          operation = isAbsent and 'd' or 'f'
        end
        if wasDeleted and (knowsMore or not isGrave) then
          grave = fenced(cur, fence)
        elseif knowsMore then
          grave = newGrave(fence, inc)
        end
      elseif (isLive and not isTop) or (isFill and wasDeleted) then
        if knowsMore and not isGrave then call('SETRANGE', key, 56, fence) end
        if knowsMore and isGrave then grave = fenced(cur, fence) end
        if knowsMore and not wasDeleted then grave = newGrave(fence, inc) end
        bytes, operation, reply = nil, nil, curVersion
      else
        -- Neither of the two shows: what remains is the latest delete and the newest version known.
        if not isNewer then version = curVersion end
        local latest = knowsMore and inc or cur
        local fresh, theirs = sub(inc, 83, 90), sub(cur, 83, 90)
        if unpack('>d', theirs) > unpack('>d', fresh) then fresh = theirs end
        bytes = version .. sub(version, 13, 28) .. fence .. '\\1\\2' .. sub(latest, 75, 82) .. fresh .. rep('\\0', 17)
        local left = math.ceil(unpack('>d', fresh) - now)
        life = left > 0 and string.format('%.0f', left) or '0'
        local isTaken = isDelete and not knowsLess
        operation = (isTaken or not wasDeleted) and 'd'
        if not isTaken then reply = version end
      end
    elseif not isDelete then
      if floor ~= ZERO and filled <= floor then
        bytes, operation, reply = nil, nil, '-'
      elseif fence > floor then
        grave = newGrave(fence, inc)
      end
    end

    if grave and try('HSET', graves, member, grave) then try('ZADD', times, 'GT', goneAt(grave), member) end
    local isTomb = bytes and byte(bytes, 74) == 2
    if bytes and life == '0' then
      -- Dead on arrival. It supersedes what was there all the same.
      call('DEL', key)
      if isTomb then forget(member, fence) end
    elseif isTomb and try('ZADD', times, 'GT', goneAt(bytes), member) then
      call('SET', key, bytes)
    elseif bytes then
      call('SET', key, bytes, 'PX', life)
    end
    return reply, operation, version
  end
  return merge, forget
end

local merge, forget
for at = 2, count + 1 do
  local key, leaseKey, from = KEYS[at], KEYS[at + count], at * 3 + 3
  local isFill, life, inc = ARGV[from] == 'f' and byte(ARGV[from + 2], 74) ~= 2, ARGV[from + 1], ARGV[from + 2]
  local member, cur = sub(key, ARGV[3]), call('GETRANGE', key, 0, 89)
  local reply, operation, version = 1, 's', sub(inc, 1, 40)
  -- What most writes are: newer data over data, with nothing new about deletes. The rules below say the same of them.
  if not isFill and life ~= '0' and byte(inc, 74) ~= 2 and #cur == 90 and byte(cur, 73) == 1 and byte(cur, 74) < 2
    and sub(cur, 57, 72) == sub(inc, 57, 72) and sub(inc, 41, 56) > sub(inc, 57, 72) and version > sub(cur, 1, 40) then
    call('SET', key, inc, 'PX', life)
  else
    if not merge then merge, forget = makeMerge() end
    reply, operation, version = merge(key, member, inc, life, isFill, cur)
  end
  local news = operation and version .. ' ' .. operation
  local lease = leaseKey and call('GET', leaseKey)
  if lease and (reply == 1 or (isFill and sub(inc, 41, 56) >= sub(lease, 2, 17))) then
    call('DEL', leaseKey)
    news = news or (byte(lease) == 49 and 'l')
  end
  if news then
    announce(news .. ' ' .. member)
    told = told + 1
  end
  replies[at - 1] = reply
end
advance()
if seq and math.floor(seq / TRIM_EVERY) > math.floor((seq - told) / TRIM_EVERY) then
  -- Whatever goes wrong here, what was written stands.
  if not forget then merge, forget = makeMerge() end
  pcall(function()
    local function trim(members)
      for _, member in ipairs(members) do
        local key = sub(KEYS[2], 1, ARGV[3] - 1) .. member
        local fence, grave = ZERO, call('HGET', graves, member)
        if grave then fence = sub(grave, 57, 72) end
        local head = redis.pcall('GETRANGE', key, 0, 89)
        if type(head) == 'table' then
          if not string.find(head.err, 'WRONGTYPE', 1, true) then return end
        elseif #head == 90 and byte(head, 73) == 1 and byte(head, 74) == 2 then
          if sub(head, 57, 72) > fence then fence = sub(head, 57, 72) end
          call('DEL', key)
        end
        forget(member, fence)
      end
    end
    trim(call('ZRANGEBYSCORE', times, '-inf', now, 'LIMIT', 0, TRIM_MOST))
    local excess = math.min(call('ZCARD', times) - most, TRIM_MOST)
    if excess > 0 then trim(call('ZRANGE', times, 0, excess - 1)) end
  end)
end
return replies
`);
