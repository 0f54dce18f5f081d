import { randomBytes } from 'node:crypto';
import { hostHeaderOf, type SignedHeader, signingKey, signRequest } from '../../src/peer/request-signature.js';
import { SECRET } from './peer-nodes.js';

export interface Signing {
  readonly method: string;
  readonly path: string;
  /** `host:port` that is asked. */
  readonly address: string;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
  readonly secret?: string;
  readonly timeMs?: number;
  readonly nonce?: string;
}

export function freshNonce(): string {
  return randomBytes(16).toString('hex');
}

/** The headers of a request that a node takes. */
export function signedHeaders({ method, path, address, headers = {}, body = '', ...how }: Signing) {
  const { secret = SECRET, timeMs = Date.now(), nonce = freshNonce() } = how;
  const host = hostHeaderOf(address);
  const parts = { method, path, host, header: (name: SignedHeader) => headers[name] };
  return { ...headers, host, authorization: signRequest(signingKey(secret), parts, body, timeMs, nonce) };
}

/** The head of such a request, as it goes over a socket, without the empty line that ends it. */
export function signedHead(signing: Signing): string {
  const lines = Object.entries(signedHeaders(signing)).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${signing.method} ${signing.path} HTTP/1.1\r\n${lines.join('')}`;
}
