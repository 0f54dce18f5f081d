import { CacheError } from '../core/errors.js';

/** SQLSTATE classes: data exception, integrity constraint violation. */
const ABOUT_DATA = /^2[23]/;

/** Whether something was refused for what it says: others in the same statement may be as they should. */
export function isAboutData(thrown: unknown): boolean {
  if (!(thrown instanceof CacheError)) return false;
  const { code, cause } = thrown;
  const state = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return code === 'invalid-value' || ABOUT_DATA.test(state);
}
