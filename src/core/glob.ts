import { CacheError } from './errors.js';
import { checkText, KEY_BYTES_MAX } from './key.js';

/** Most wildcards in one pattern; each costs a little at every read that the pattern is checked against. */
const WILDCARDS_MAX = 8;

/** A compiled key pattern. */
export interface Glob {
  readonly pattern: string;
  matches(key: string): boolean;
}

/**
 * A glob over keys: `*` stands for any run of characters, also none and also across `:`; `?` for exactly one that is
 * not `:`; `\` takes the next character as it is. `vehicle:trips:42:*` has every trip of vehicle 42,
 * `route:*:42` every route entry of it.
 *
 * Matches in O(key x pattern) at worst, without backtracking into exponential time (the greedy two-pointer walk).
 * @throws CacheError `invalid-pattern` for an empty or too long one, a dangling `\`, or more than 8 wildcards.
 */
export function compileGlob(pattern: string): Glob {
  checkText(pattern, 'pattern', 'invalid-pattern', KEY_BYTES_MAX);
  const tokens: (string | typeof ANY | typeof ONE)[] = [];
  let wildcards = 0;
  const characters = [...pattern];
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i] as string;
    if (character === '\\') {
      i += 1;
      const literal = characters[i];
      if (literal === undefined) {
        throw new CacheError('invalid-pattern', `pattern ${JSON.stringify(pattern)} ends in a lone backslash`, {
          field: 'pattern',
        });
      }
      tokens.push(literal);
    } else if (character === '*') {
      if (tokens.at(-1) !== ANY) {
        tokens.push(ANY);
        wildcards += 1;
      }
    } else if (character === '?') {
      tokens.push(ONE);
      wildcards += 1;
    } else {
      tokens.push(character);
    }
  }
  if (wildcards > WILDCARDS_MAX) {
    throw new CacheError(
      'invalid-pattern',
      `pattern ${JSON.stringify(pattern)} has ${wildcards} wildcards: at most ${WILDCARDS_MAX} are allowed`,
      { field: 'pattern' },
    );
  }
  return { pattern, matches: (key) => matchTokens(tokens, key) };
}

const ANY = Symbol('any run of characters');
const ONE = Symbol('one character of a segment');

function matchTokens(tokens: readonly (string | symbol)[], key: string): boolean {
  let token = 0;
  let at = 0;
  let starToken = -1;
  let starAt = 0;
  while (at < key.length) {
    const wanted = tokens[token];
    if (wanted === ANY) {
      starToken = token;
      starAt = at;
      token += 1;
    } else if (wanted !== undefined && (wanted === ONE ? key[at] !== ':' : key.startsWith(wanted as string, at))) {
      token += 1;
      at += widthAt(key, at);
    } else if (starToken >= 0) {
      token = starToken + 1;
      starAt += widthAt(key, starAt);
      at = starAt;
    } else {
      return false;
    }
  }
  while (tokens[token] === ANY) token += 1;
  return token === tokens.length;
}

/** UTF-16 units of the character at `at`: 2 for a surrogate pair. */
function widthAt(text: string, at: number): 1 | 2 {
  return (text.codePointAt(at) as number) > 0xffff ? 2 : 1;
}
