import { promises as dns } from 'node:dns';
import type { NameLookup } from '../peer/discovery.js';

const NONE: ReadonlySet<string> = new Set(['ENODATA', 'ENOTFOUND']);

/** Names by the resolver of this machine, past its cache: what a headless service has at the moment. */
export const systemNames: NameLookup = Object.freeze({
  async addresses(name: string) {
    const [four, six] = await Promise.all([dns.resolve4(name).catch(none), dns.resolve6(name).catch(none)]);
    return [...four, ...six];
  },
  services: (name: string) => dns.resolveSrv(name).catch(none),
});

/** A name without records of one kind has none; a name server that fails is an error. */
function none(error: NodeJS.ErrnoException): never[] {
  if (NONE.has(error.code ?? '')) return [];
  throw error;
}
