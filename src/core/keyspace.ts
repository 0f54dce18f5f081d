import type { EntryOptions, Keyspace, KeyspaceDefinition, LoadOptions, SetOptions, WriteResult } from './cache.js';
import type { CallOptions } from './call.js';
import { durationMs } from './duration.js';
import { CacheError } from './errors.js';
import type { Loader } from './loader.js';

/** What a keyspace needs of the cache that it is a view of. */
export interface KeyspaceHost {
  peek<T>(key: string): T | undefined;
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

  const read = async (
    ids: readonly Id[],
    call?: CallOptions,
    refresh = false,
  ): Promise<{ readonly values: Map<Id, T>; readonly loaded: number }> => {
    let loadedCount = 0;
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
                loadedCount += values.size;
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
    return { values, loaded: loadedCount };
  };

  return {
    name,
    key: keyOf,
    async getMany(ids, call) {
      return (await read(ids, call)).values;
    },
    async get(id, call) {
      if (load === undefined) return host.get<T>(keyOf(id), call);
      const here = host.peek<T>(keyOf(id));
      return here === undefined ? (await read([id], call)).values.get(id) : here;
    },
    async set(id, value, options) {
      return host.set(keyOf(id), value, { ...optionsOf(value, id), ...options });
    },
    async delete(id, call) {
      return host.delete(keyOf(id), call);
    },
    async warm(ids, call) {
      return (await read(ids, call)).loaded;
    },
    async refresh(ids, call) {
      return (await read(ids, call, true)).loaded;
    },
  };
}
