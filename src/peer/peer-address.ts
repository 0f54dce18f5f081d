import { CacheError } from '../core/errors.js';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

const FORM = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9._-]{1,253})):(\d{1,5})$/;

/**
 * `host:port`, with an IPv6 host in brackets.
 * @throws CacheError `invalid-config` naming `field`
 */
export function parseAddress(text: string, field: string): HostPort {
  const match = FORM.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new CacheError(
      'invalid-config',
      `${field} is ${JSON.stringify(text)}: give host:port, such as '127.0.0.1:7946' or '[::1]:7946'`,
      { field },
    );
  }
  return { host: match[1] ?? match[2] ?? '', port };
}

export function formatAddress({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether `text` is something that another node may be asked at. */
export function isPeerAddress(text: string): boolean {
  const match = FORM.exec(text);
  const port = Number(match?.[3]);
  return match !== null && port > 0 && port <= 65_535;
}
