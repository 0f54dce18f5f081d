import type { Cache } from '../core/cache.js';
import { keys } from '../fleet/keys.js';
import type { FleetRepository } from '../fleet/ports.js';
import { WriteBehind, type WriteBehindStats } from '../source/write-behind.js';
import { systemClock } from './system-clock.js';

const MAX_BYTES = 268_435_456;

export interface WriteBehindOptions {
  readonly cache: Cache;
  /** Of this node alone, on a disk that outlives it. Made if it is not there. */
  readonly directory: string;
  /** Most bytes that positions may take there until the database has them. Default 256 MiB, about 1.6 million. */
  readonly maxBytes?: number;
}

/** A database to which positions are written from a journal on this node's disk. */
export interface WriteBehindRepository {
  readonly repository: FleetRepository;
  stats(): WriteBehindStats;
  /** Before the database is closed. Lets it follow for at most 2 s; what is left is taken up at the next start. */
  close(): Promise<void>;
}

/**
 * Has positions acknowledged when they are on this node's disk, and brings them to the database behind that. Takes up what
 * an earlier process left in the directory.
 * @param repository of `openFleetDatabase`
 * @throws CacheError `level-failed` or `corrupt-entry` when the directory cannot be used, `invalid-options`
 */
export async function openWriteBehind(
  repository: FleetRepository,
  { cache, directory, maxBytes = MAX_BYTES }: WriteBehindOptions,
): Promise<WriteBehindRepository> {
  const behind = await WriteBehind.open({
    clock: systemClock,
    source: repository,
    directory,
    bytesMax: maxBytes,
    corrected: (ids) => cache.deleteMany(ids.map(keys.location)),
  });
  return { repository: behind, stats: () => behind.stats, close: () => behind.close() };
}
