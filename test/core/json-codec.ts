import type { Codec } from '../../src/core/codec.js';
import { CacheError } from '../../src/core/errors.js';

/** The least that a codec can be: JSON, frozen at the top. */
export const jsonCodec: Codec = {
  encode(value) {
    const text = JSON.stringify(value);
    if (text === undefined)
      throw new CacheError('invalid-value', `value is a ${typeof value}, which JSON cannot express`, {
        field: 'value',
      });
    return new TextEncoder().encode(text);
  },
  copy: () => undefined,
  decode(bytes) {
    try {
      return { value: Object.freeze(JSON.parse(new TextDecoder().decode(bytes))), frozen: true };
    } catch (cause) {
      throw corrupt(cause);
    }
  },
};

function corrupt(cause: unknown): CacheError {
  return new CacheError('corrupt-entry', 'a stored value is not JSON', { cause });
}
