import type {
  Cache,
  EntryOptions,
  Keyspace,
  KeyspaceDeclaration,
  KeyspaceDefinition,
  KeyspaceTemplate,
  LoadOptions,
  SetOptions,
  WriteResult,
} from './cache.js';
import type { CallOptions } from './call.js';
import { durationMs } from './duration.js';
import { CacheError } from './errors.js';
import { type KeyGiven, type KeyId, type KeyNames, keyTemplate } from './key-template.js';
import type { Loader } from './loader.js';
import { isRefusal, SchemaCheck } from './standard-schema.js';

/** What a keyspace needs of the cache that it is a view of. */
export interface KeyspaceHost {
  peek<T>(key: string): T | undefined;
  get<T>(key: string, call?: CallOptions): Promise<T | undefined>;
  getMany<T>(keys: readonly string[], call?: CallOptions): Promise<Map<string, T>>;
  set(key: string, value: unknown, options?: SetOptions): Promise<WriteResult>;
  delete(key: string, call?: CallOptions): Promise<WriteResult>;
  deleteMany(keys: readonly string[], call?: CallOptions): Promise<WriteResult[]>;
  loadMany(keys: readonly string[], loader: Loader, options?: LoadOptions): Promise<Map<string, unknown>>;
  /** The same call, at any later time with what is left of it. */
  restOf(call: CallOptions | undefined): () => CallOptions;
  /** A schema refused a value. */
  refused(keyspace: string, key: string, from: 'source' | 'cache', error: Error): void;
}

/** What declares the keyspaces of a cache. */
export function keyspacesOf(host: KeyspaceHost): Cache['keyspace'] {
  return (<Id, T>(definition: KeyspaceDefinition<Id, T> | KeyspaceTemplate<string, T>) =>
    openKeyspace(host, definition)) as Cache['keyspace'];
}

function openKeyspace<Id, T>(
  host: KeyspaceHost,
  definition: KeyspaceDefinition<Id, T> | KeyspaceTemplate<string, T>,
): Keyspace<Id, T> {
  const { name, key } = definition;
  if (typeof name !== 'string' || name === '') {
    throw new CacheError('invalid-options', 'keyspace.name is empty: errors and metrics need it', { field: 'name' });
  }
  if (typeof key === 'function') {
    return new View(host, definition as KeyspaceDefinition<Id, T>, { key, idOf: (id) => id }).face();
  }
  const declaration = definition as KeyspaceTemplate<string, T>;
  const names: KeyNames<KeyId<string>, KeyGiven<string>> = keyTemplate(key);
  return new View(host, declaration, names).face() as Keyspace<never, T> as Keyspace<Id, T>;
}

/** How one reading of many is done. */
interface Reading {
  readonly refresh?: LoadOptions;
  /** Those whose value the schema refuses are left out. */
  readonly partial?: boolean;
}

class View<Id, T, Given> {
  readonly #host: KeyspaceHost;
  readonly #declaration: KeyspaceDeclaration<Id, T>;
  readonly #names: KeyNames<Id, Given>;
  readonly #schema: SchemaCheck<T> | undefined;
  readonly #absentTtl: { readonly absentTtl?: number };

  constructor(host: KeyspaceHost, declaration: KeyspaceDeclaration<Id, T>, names: KeyNames<Id, Given>) {
    const { name, schema, absentTtl } = declaration;
    this.#host = host;
    this.#declaration = declaration;
    this.#names = names;
    this.#schema = schema === undefined ? undefined : new SchemaCheck(name, schema);
    this.#absentTtl = absentTtl === undefined ? {} : { absentTtl: durationMs(absentTtl, 'absentTtl') };
  }

  face(): Keyspace<Id, T, Given> {
    const { name, load } = this.#declaration;
    return {
      name,
      key: (given) => this.#names.key(given),
      get: async (given, call) => (load === undefined ? this.#find(given, call) : this.#load(given, call)),
      getMany: async (given, call) => (await this.#read(given, call, { partial: true })).values,
      set: async (given, value, options) => {
        const key = this.#names.key(given);
        const kept = this.#schema === undefined ? value : this.#schema.accept(value, key, 'the given value');
        return this.#host.set(key, kept, { ...this.#optionsOf(kept, this.#names.idOf(given)), ...options });
      },
      delete: async (given, call) => this.#host.delete(this.#names.key(given), call),
      warm: async (given, call) => (await this.#read(given, call, { partial: true })).loaded,
      refresh: async (given, call) => {
        const { filledAfter, ...rest } = call ?? {};
        const refresh = { refresh: true, ...(filledAfter !== undefined && { filledAfter }) };
        return (await this.#read(given, rest, { refresh, partial: true })).loaded;
      },
    };
  }

  async #find(given: Given, call: CallOptions | undefined): Promise<T | undefined> {
    const key = this.#names.key(given);
    const value = await this.#host.get<T>(key, call);
    return value === undefined || this.#isServed(key, value) ? value : undefined;
  }

  async #load(given: Given, call: CallOptions | undefined): Promise<T | undefined> {
    const key = this.#names.key(given);
    const here = this.#host.peek<T>(key);
    if (here !== undefined && this.#schema?.refusal(here, key) === undefined) return here;
    const [value] = (await this.#read([given], call, {})).values.values();
    return value;
  }

  async #read(
    given: readonly Given[],
    call: CallOptions | undefined,
    { refresh, partial = false }: Reading,
  ): Promise<{ readonly values: Map<Id, T>; readonly loaded: number }> {
    const { load } = this.#declaration;
    const host = this.#host;
    const ids = new Map(given.map((one) => [this.#names.key(one), this.#names.idOf(one)]));
    const keys = [...ids.keys()];
    if (load === undefined) {
      return { values: this.#served(await host.getMany<T>(keys, call), ids, []), loaded: 0 };
    }
    const loads = { count: 0 };
    const loader = this.#loader(load, ids, partial, loads);
    const rest = this.#schema === undefined ? () => call : host.restOf(call);
    const found = await host.loadMany(keys, loader, { ...call, ...refresh, ...this.#absentTtl });
    const unfit: string[] = [];
    const values = this.#served(found, ids, unfit);
    if (unfit.length > 0) {
      // Removed first: what is loaded may have an earlier time than what somebody wrote there, and would be kept nowhere.
      await host.deleteMany(unfit, rest());
      const again = await host.loadMany(unfit, loader, { ...rest(), ...this.#absentTtl });
      for (const [key, value] of again) values.set(ids.get(key) as Id, value as T);
    }
    return { values, loaded: loads.count };
  }

  #loader(
    load: NonNullable<KeyspaceDeclaration<Id, T>['load']>,
    ids: ReadonlyMap<string, Id>,
    partial: boolean,
    loads: { count: number },
  ): Loader {
    const schema = this.#schema;
    return {
      load: async (missing, loadCall, known) => {
        const loaded = await load(
          missing.map((key) => ids.get(key) as Id),
          loadCall,
          (id) => known(this.#names.key(id as unknown as Given)) as T | undefined,
        );
        const values = new Map<string, unknown>();
        // A loader answers with ids in their one form, which every template takes as given.
        for (const [id, value] of loaded) values.set(this.#names.key(id as unknown as Given), value);
        loads.count += values.size;
        return values;
      },
      lifetimeOf: (value, key) => {
        const { eventTime, ...options } = this.#optionsOf(value as T, ids.get(key) as Id);
        return eventTime === undefined ? options : { ...options, eventTimeOf: () => eventTime };
      },
      ...(schema !== undefined && { accept: (value, key) => this.#accept(schema, value, key) }),
      ...(partial && { leavesOut: isRefusal }),
    };
  }

  #accept(schema: SchemaCheck<T>, value: unknown, key: string): T {
    try {
      return schema.accept(value, key, 'what the source says');
    } catch (thrown) {
      if (isRefusal(thrown)) this.#host.refused(this.#declaration.name, key, 'source', thrown);
      throw thrown;
    }
  }

  /** @param unfit is given the keys of the values that must not be served */
  #served(found: ReadonlyMap<string, unknown>, ids: ReadonlyMap<string, Id>, unfit: string[]): Map<Id, T> {
    const values = new Map<Id, T>();
    for (const [key, value] of found) {
      if (this.#isServed(key, value)) values.set(ids.get(key) as Id, value as T);
      else unfit.push(key);
    }
    return values;
  }

  #isServed(key: string, value: unknown): boolean {
    const error = this.#schema?.refusal(value, key);
    if (error !== undefined) this.#host.refused(this.#declaration.name, key, 'cache', error);
    return error === undefined;
  }

  #optionsOf(value: T, id: Id): EntryOptions & Pick<SetOptions, 'eventTime'> {
    const { lifetime, tags, version } = this.#declaration;
    const eventTime = version?.(value);
    const own = tags?.(id, value);
    return {
      ...(typeof lifetime === 'function' ? lifetime(value, id) : lifetime),
      ...(own && { tags: own }),
      ...(eventTime !== undefined && { eventTime }),
    };
  }
}
