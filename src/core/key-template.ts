import { CacheError } from './errors.js';
import { checkText, KEY_BYTES_MAX, utf8Length } from './key.js';

/** What may stand for a placeholder: a text, or a whole number. */
export type KeyPart = string | number | bigint;

/** The placeholders of a template: those of `'trip:{vehicleId}:{day}'` are `'vehicleId' | 'day'`. */
export type Placeholder<Template extends string> = Template extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Placeholder<Rest>
  : never;

/** A value for each placeholder. */
export type KeyParts<Template extends string> = { readonly [Name in Placeholder<Template>]: KeyPart };

type HasOnePlaceholder<Template extends string> = Template extends `${string}{${string}}${infer Rest}`
  ? [Placeholder<Rest>] extends [never]
    ? true
    : false
  : false;

/** An id as loaders and the like are told it: the text for the one placeholder, or the object that was given. */
export type KeyId<Template extends string> = [Placeholder<Template>] extends [never]
  ? never
  : HasOnePlaceholder<Template> extends true
    ? string
    : KeyParts<Template>;

/** An id as callers may give it. */
export type KeyGiven<Template extends string> = [Placeholder<Template>] extends [never]
  ? never
  : HasOnePlaceholder<Template> extends true
    ? KeyPart | KeyParts<Template>
    : KeyParts<Template>;

/** How ids become keys. */
export interface KeyNames<Id, Given> {
  /** @throws CacheError `invalid-key` naming the placeholder at fault */
  key(given: Given): string;
  /** The id in its one form. Of what `key` takes. */
  idOf(given: Given): Id;
}

const PLACEHOLDER = /^\{([A-Za-z][A-Za-z0-9]*)\}$/;
const RESERVED = /[{}*?\\]/;
const PLACEHOLDERS_MAX = 8;

/** As most ids are: nothing in them needs a closer look. */
const PLAIN = /^[\w.,-]{1,64}$/;
/** A `:` would make another segment of it, and the others would widen a pattern that it is put into. */
const BREAKING = /[:*?\\]/;

/**
 * Keys of one form, such as `vehicle:trips:{vehicleId}:recent`. Every placeholder is a segment of its own and no id has a
 * `:`, so two ids never share a key.
 * @throws CacheError `invalid-options` naming `key`, for a template that is none
 */
export function keyTemplate<Template extends string>(
  template: Template,
): KeyNames<KeyId<Template>, KeyGiven<Template>> & { readonly placeholders: readonly string[] } {
  const { literals, placeholders, roomBytes } = parseTemplate(template);
  const [only] = placeholders as [string];
  const [prefix, suffix] = literals as [string, string];
  const partOf = (given: unknown): unknown =>
    typeof given === 'object' && given !== null ? (given as Readonly<Record<string, unknown>>)[only] : given;

  if (placeholders.length === 1) {
    return {
      placeholders,
      key: (given) => prefix + partText(partOf(given), only, roomBytes) + suffix,
      idOf: (given) => String(partOf(given)) as KeyId<Template>,
    };
  }
  return {
    placeholders,
    key: (given) => {
      if (typeof given !== 'object' || given === null) {
        throw invalidKey(
          `an id must be an object with ${placeholders.join(', ')}, got ${given === null ? 'null' : typeof given}`,
          only,
        );
      }
      const parts = given as Readonly<Record<string, unknown>>;
      return placeholders.reduce(
        (key, name, at) => key + partText(parts[name], name, roomBytes) + literals[at + 1],
        literals[0] as string,
      );
    },
    idOf: (given) => given as KeyId<Template>,
  };
}

interface ParsedTemplate {
  /** What stands before, between and after the placeholders. */
  readonly literals: readonly string[];
  readonly placeholders: readonly string[];
  /** What the literals leave of the longest key. */
  readonly roomBytes: number;
}

function parseTemplate(template: string): ParsedTemplate {
  const refuse = (problem: string): CacheError =>
    new CacheError('invalid-options', `the key template ${JSON.stringify(template)} ${problem}`, { field: 'key' });
  if (typeof template !== 'string' || template === '') {
    throw refuse('is no text: give something like vehicle:location:{vehicleId}');
  }
  const literals: string[] = [];
  const placeholders: string[] = [];
  let literal = '';
  for (const [at, segment] of template.split(':').entries()) {
    if (segment === '') throw refuse('has an empty segment: there must be something on either side of each colon');
    if (at > 0) literal += ':';
    const name = PLACEHOLDER.exec(segment)?.[1];
    if (name === undefined) {
      if (RESERVED.test(segment)) {
        throw refuse(
          `has the segment ${JSON.stringify(segment)}: a placeholder is a whole segment, such as {vehicleId}, and other segments have none of { } * ? \\`,
        );
      }
      literal += segment;
      continue;
    }
    if (placeholders.includes(name)) throw refuse(`has {${name}} twice`);
    placeholders.push(name);
    literals.push(literal);
    literal = '';
  }
  literals.push(literal);
  if (placeholders.length === 0) throw refuse('has no placeholder: all ids would share one key');
  if (placeholders.length > PLACEHOLDERS_MAX) throw refuse(`has more than ${PLACEHOLDERS_MAX} placeholders`);
  const roomBytes = KEY_BYTES_MAX - utf8Length(literals.join(''));
  if (roomBytes < placeholders.length) throw refuse(`leaves no room for ids: a key has at most ${KEY_BYTES_MAX} bytes`);
  return { literals, placeholders, roomBytes };
}

function partText(part: unknown, name: string, roomBytes: number): string {
  const text = textOf(part, name);
  if (PLAIN.test(text) && text.length <= roomBytes) return text;
  checkText(text, name, 'invalid-key', roomBytes);
  const found = BREAKING.exec(text);
  if (found !== null) {
    throw invalidKey(`${name} has a "${found[0]}": an id is one segment of a key, without any of : * ? \\`, name);
  }
  return text;
}

function textOf(part: unknown, name: string): string {
  switch (typeof part) {
    case 'string':
      return part;
    case 'bigint':
      return String(part);
    case 'number':
      if (Number.isSafeInteger(part)) return String(part);
      throw invalidKey(`${name} is ${part}: give a whole number up to 2^53, or a text`, name);
    default:
      throw invalidKey(
        `${name} is ${part === null ? 'null' : part === undefined ? 'missing' : `of type ${typeof part}`}: give a text, a whole number or a bigint`,
        name,
      );
  }
}

function invalidKey(problem: string, field: string): CacheError {
  return new CacheError('invalid-key', problem, { field });
}
