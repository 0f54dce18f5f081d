import { type LocalTier, NOT_HERE } from './local.js';

/** No memory in this process: every read goes to the levels below. */
export const NO_LOCAL: LocalTier = Object.freeze({
  read: () => NOT_HERE,
  find: () => undefined,
  put: () => ({ kind: 'none' as const }),
  confirm() {},
  drop() {},
  dropAll() {},
  doubt() {},
  sizeBytes: 0,
  entries: 0,
});
