import { CacheError } from './errors.js';

/** What is used here of Standard Schema, version 1 (standardschema.dev): zod, valibot, arktype and others have it. */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** How much of what a schema says is passed on. */
const PROBLEM_CHARS_MAX = 300;

/** Values of one keyspace, held against its schema. */
export class SchemaCheck<T> {
  readonly #name: string;
  readonly #validate: StandardSchema<T>['~standard']['validate'];
  /** What memory hands out is the same object again and again, and nobody can change it: one look is enough. */
  readonly #known = new WeakSet<object>();

  /** @throws CacheError `invalid-options` naming `schema`, for what is no Standard Schema */
  constructor(name: string, schema: StandardSchema<T>) {
    const standard = (schema as StandardSchema<T> | undefined)?.['~standard'];
    if (standard?.version !== 1 || typeof standard.validate !== 'function') {
      throw new CacheError(
        'invalid-options',
        `keyspace ${JSON.stringify(name)}: schema must be a Standard Schema of version 1, as zod, valibot and arktype make them`,
        { field: 'schema' },
      );
    }
    this.#name = name;
    this.#validate = (value) => standard.validate(value);
  }

  /**
   * What the schema makes of a value.
   * @param what whose value it is, as the error says
   * @throws CacheError `invalid-value`
   */
  accept(value: unknown, key: string, what: string): T {
    const result = this.#validate(value);
    if (result instanceof Promise) {
      result.catch(() => {});
      throw new CacheError(
        'invalid-options',
        `keyspace ${JSON.stringify(this.#name)}: its schema answers with a promise; one that does not wait for anything is needed`,
        { field: 'schema' },
      );
    }
    if (result.issues === undefined) return result.value;
    throw new CacheError(
      'invalid-value',
      `keyspace ${JSON.stringify(this.#name)}: the schema refuses ${what} for ${JSON.stringify(key)}: ${problemOf(result.issues)}`,
      { field: 'schema' },
    );
  }

  /** Why a value that was kept is not to be served; undefined when it is. */
  refusal(value: unknown, key: string): CacheError | undefined {
    const isObject = typeof value === 'object' && value !== null;
    if (isObject && this.#known.has(value)) return undefined;
    try {
      this.accept(value, key, 'the cached value');
    } catch (thrown) {
      if (isRefusal(thrown)) return thrown;
      throw thrown;
    }
    if (isObject) this.#known.add(value);
    return undefined;
  }
}

/** Whether something thrown says that a value does not fit its keyspace. */
export function isRefusal(thrown: unknown): thrown is CacheError {
  return thrown instanceof CacheError && thrown.code === 'invalid-value' && thrown.field === 'schema';
}

function problemOf(issues: readonly SchemaIssue[]): string {
  const [first, ...others] = issues;
  if (first === undefined) return 'it does not say why';
  const path = (first.path ?? []).map((step) => String(typeof step === 'object' ? step.key : step)).join('.');
  const problem = `${path === '' ? '' : `${path}: `}${first.message}`.slice(0, PROBLEM_CHARS_MAX);
  return others.length === 0 ? problem : `${problem} (and ${others.length} more)`;
}
