import type { EntryOptions, Keyspace, KeyspaceDefinition, LoadOptions, SetOptions, WriteResult } from './cache.js';
import type { CallOptions } from './call.js';
import { durationMs } from './duration.js';
import { CacheError } from './errors.js';
import type { Loader } from './load-rung.js';

/** What a keyspace needs of the cache that it is a view of. */
export interface KeyspaceHost {
  get<T>(key: string, call?: CallOptions): Promise<T | undefined>;
  getMany<T>(keys: readonly string[], call?: CallOptions): Promise<Map<string, T>>;
  set(key: string, value: unknown, options?: SetOptions): Promise<WriteResult>;
  delete(key: string, call?: CallOptions): Promise<WriteResult>;
  loadMany(keys: readonly string[], loader: Loader, options?: LoadOptions): Promise<Map<string, unknown>>;
}

/** @throws CacheError `invalid-options` for a definition without a name */
export function openKeyspace<Id, T>(host: KeyspaceHost, definition: KeyspaceDefinition<Id, T>): Keyspace<Id, T> {
  const { name, key: keyOf, lifetime, tags, version, load } = definition;
  if (typeof name !== 'string' || name === '') {
    throw new CacheError('invalid-options', 'keyspace.name is empty: errors and metrics need it', { field: 'name' });
  }
  const absentTtlMs = definition.absentTtl === undefined ? undefined : durationMs(definition.absentTtl, 'absentTtl');

  const optionsOf = (value: T, id: Id): EntryOptions & { readonly eventTime?: number | Date } => {
    const eventTime = version?.(value);
    const own = tags?.(id, value);
    return { ...lifetime?.(value, id), ...(own && { tags: own }), ...(eventTime !== undefined && { eventTime }) };
  };

  const loadMany = async (ids: readonly Id[], call?: CallOptions, refresh = false): Promise<Map<Id, T>> => {
    const byKey = new Map(ids.map((id) => [keyOf(id), id]));
    const keys = [...byKey.keys()];
    const idOf = (key: string): Id => byKey.get(key) as Id;
    const found =
      load === undefined
        ? await host.getMany<T>(keys, call)
        : await host.loadMany(
            keys,
            {
              load: async (missing, loadCall) => {
                const loaded = await load(missing.map(idOf), loadCall);
                const values = new Map<string, unknown>();
                for (const [id, value] of loaded) values.set(keyOf(id), value);
                return values;
              },
              lifetimeOf: (value, key) => {
                const { eventTime, ...options } = optionsOf(value as T, idOf(key));
                return eventTime === undefined ? options : { ...options, eventTimeOf: () => eventTime };
              },
            },
            { ...call, refresh, ...(absentTtlMs !== undefined && { absentTtl: absentTtlMs }) },
          );
    const values = new Map<Id, T>();
    for (const [key, value] of found) values.set(idOf(key), value as T);
    return values;
  };

  return {
    name,
    key: keyOf,
    getMany: (ids, call) => loadMany(ids, call),
    async get(id, call) {
      return load === undefined ? host.get<T>(keyOf(id), call) : (await loadMany([id], call)).get(id);
    },
    set: (id, value, options) => host.set(keyOf(id), value, { ...optionsOf(value, id), ...options }),
    delete: (id, call) => host.delete(keyOf(id), call),
    async warm(ids, call) {
      return (await loadMany(ids, call)).size;
    },
    async refresh(ids, call) {
      return (await loadMany(ids, call, true)).size;
    },
  };
}
