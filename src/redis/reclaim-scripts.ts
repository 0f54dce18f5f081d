import { ENTRY_HEAD_BYTES } from '../core/entry-format.js';
import { makeScript } from './scripts.js';

/**
 * Asks for the right to walk through Redis: one node of the city has it, until its lock ends.
 *
 * KEYS: the position of the floors' stream, the position up to which floors were walked for, the lock. ARGV: id of the
 * walk, how long the lock lasts unless it is prolonged, in ms. Replies with the position when the walk may begin; 0 when
 * no floor was raised since the last one began; else for how many ms the lock of somebody else lasts.
 */
export const BEGIN = makeScript(`
local position = redis.call('GET', KEYS[1])
if not position or redis.call('GET', KEYS[2]) == position then return 0 end
if redis.call('SET', KEYS[3], ARGV[1], 'NX', 'PX', ARGV[2]) then return position end
return math.max(1, redis.call('PTTL', KEYS[3]))
`);

/**
 * Prolongs the lock, and, with a position, remembers that floors were walked for up to there.
 *
 * KEYS: the lock, the position up to which floors were walked for. ARGV: id of the walk, ms, position or nothing.
 * Replies with 1, or with 0 when the lock is not ours any more.
 */
export const KEEP = makeScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if ARGV[3] ~= '' then redis.call('SET', KEYS[2], ARGV[3]) end
return 1
`);

/**
 * Removes entries that are still those that were looked at, by their heads. No sequence advances and nobody is told:
 * what lies below a floor is served to nobody. It is what eviction does, too, so nothing of a delete goes with it: that
 * lies in graves.
 *
 * KEYS: the entries. ARGV: the head of each. Replies with how many went.
 */
export const REMOVE = makeScript(`
local gone = 0
for at, key in ipairs(KEYS) do
  if redis.call('GETRANGE', key, 0, ${ENTRY_HEAD_BYTES - 1}) == ARGV[at] then gone = gone + redis.call('UNLINK', key) end
end
return gone
`);
