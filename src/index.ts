/** FleetFlow Cache: `fleetflow-cache`. */
export type {
  Cache,
  CacheEvents,
  CacheStats,
  EntryInfo,
  EntryOptions,
  Keyspace,
  KeyspaceDeclaration,
  KeyspaceDefinition,
  KeyspaceTemplate,
  LevelState,
  LevelStats,
  Load,
  LoadCall,
  LoadMany,
  LoadOptions,
  SetOptions,
  WriteResult,
  WriteStatus,
} from './core/cache.js';
export type { CallOptions } from './core/call.js';
export type { Duration } from './core/duration.js';
export { CacheError, type CacheErrorCode } from './core/errors.js';
export type { KeyGiven, KeyId, KeyPart, KeyParts } from './core/key-template.js';
export type { Level } from './core/outcome.js';
export type { StandardSchema } from './core/standard-schema.js';
export { createCache } from './node/compose.js';
export { type CacheConfig, MiB } from './node/config.js';
