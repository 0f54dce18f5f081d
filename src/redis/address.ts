import { CacheError } from '../core/errors.js';

export interface Address {
  readonly host: string;
  readonly port: number;
}

const FORM = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^\s:[\]/@]+)):(\d{1,5})$/;
const PORT_MAX = 65_535;

/**
 * `host:port`, or `[host]:port` for a host of IPv6.
 * @throws CacheError `invalid-config`
 */
export function parseAddress(address: string): Address {
  const [, bracketed, plain, digits] = FORM.exec(address) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || !(port >= 1 && port <= PORT_MAX)) {
    throw new CacheError(
      'invalid-config',
      `${JSON.stringify(address)} is no address of a Redis node: it must read host:port`,
      { field: 'redis.nodes' },
    );
  }
  return { host, port };
}

export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
