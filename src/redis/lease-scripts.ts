import { ANNOUNCE, makeScript } from './scripts.js';

/*
 * A lease is a string that expires: a digit (1 when somebody waits for its end), the reading that its holder took
 * before he read the levels (16 hex digits), and the holder's token. The script that writes entries ends leases too.
 */

/**
 * Grants leases of one partition. An entry counts as filled if a reader would see it, fresh, and it was filled later
 * than the reading; offsets and order as in the script that writes entries.
 *
 * KEYS: the entries, then their leases. ARGV: token, reading, now (ms since the epoch), life of a lease in ms.
 * Replies, for each key, with 0 when the lease is granted, -2 when it is and a reader would see a fresh entry, -1 when
 * that was filled later, else with the ms that somebody else's lease has left.
 */
export const LEASE = makeScript(`
local call, sub, byte = redis.call, string.sub, string.byte
local token, since, now, life = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local count = #KEYS / 2
local replies = {}
for at = 1, count do
  local leaseKey, reply = KEYS[at + count], 0
  local cur = call('GETRANGE', KEYS[at], 0, 89)
  local filled = sub(cur, 41, 56)
  if #cur == 90 and byte(cur, 73) == 1 and byte(cur, 74) < 2 and filled > sub(cur, 57, 72)
    and struct.unpack('>d', sub(cur, 83, 90)) > now then
    reply = -2
  end
  if reply == -2 and filled > since then
    reply = -1
  elseif not call('SET', leaseKey, '0' .. since .. token, 'PX', life, 'NX') then
    if sub(call('GET', leaseKey), 18) == token then
      call('PEXPIRE', leaseKey, life)
    else
      call('SETRANGE', leaseKey, 0, '1')
      reply = math.max(1, call('PTTL', leaseKey))
    end
  end
  replies[at] = reply
end
return replies
`);

/** Lets leases that are still the token's last. KEYS: leases. ARGV: token, life in ms. */
export const RENEW = makeScript(`
for _, leaseKey in ipairs(KEYS) do
  local lease = redis.call('GET', leaseKey)
  if lease and string.sub(lease, 18) == ARGV[1] then redis.call('PEXPIRE', leaseKey, ARGV[2]) end
end
return 1
`);

/**
 * Ends leases that are still the token's, and says so if somebody waits.
 *
 * KEYS: the sequence key, then leases. ARGV: channel, id of this run, where in a lease the key of the entry begins,
 * token.
 */
export const RELEASE = makeScript(`${ANNOUNCE}
for at = 2, #KEYS do
  local lease = call('GET', KEYS[at])
  if lease and sub(lease, 18) == ARGV[4] then
    call('DEL', KEYS[at])
    if string.byte(lease) == 49 then announce('l ' .. sub(KEYS[at], ARGV[3])) end
  end
end
advance()
return 1
`);
