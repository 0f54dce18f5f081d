import type { Chance } from '../core/chance.js';
import type { Clock } from '../core/clock.js';
import { type SignedHeader, type SigningKey, signingKey, signRequest } from './request-signature.js';

export interface UnsignedRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

const WORD = 2 ** 32;

/** Signs the requests of one node. */
export class RequestSigner {
  readonly #key: SigningKey;
  readonly #clock: Pick<Clock, 'wallMs'>;
  /** A nonce need not be a secret, only never used twice: a random half, and a count. */
  readonly #prefix: string;
  #count = 0;

  constructor(secret: string, clock: Pick<Clock, 'wallMs'>, chance: Chance) {
    this.#key = signingKey(secret);
    this.#clock = clock;
    this.#prefix = wordOf(chance) + wordOf(chance);
  }

  /** The headers to send the request with. @param host what its `host` header is to say */
  sign(host: string, { method, path, headers, body = '' }: UnsignedRequest): Record<string, string> {
    this.#count += 1;
    const nonce = this.#prefix + this.#count.toString(16).padStart(16, '0');
    const header = (name: SignedHeader) => headers[name];
    const parts = { method, path, host, header };
    return { ...headers, host, authorization: signRequest(this.#key, parts, body, this.#clock.wallMs(), nonce) };
  }
}

function wordOf(chance: Chance): string {
  return Math.floor(chance.next() * WORD)
    .toString(16)
    .padStart(8, '0');
}
