import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../core/clock.js';
import type { DriftGate } from './drift.js';
import { HttpProblem } from './http-problem.js';
import { HOPS_HEADER, SIGNED_TOLERANCE_MS } from './limits.js';
import { NonceWindow } from './nonce-window.js';
import { formatAddress } from './peer-address.js';
import {
  hostHeaderOf,
  macOf,
  parseSignature,
  type Signature,
  type SignedHeader,
  type SignedParts,
  type SigningKey,
  signingKey,
} from './request-signature.js';

export interface DoorOptions {
  /** Any of them opens; more than one while a secret is changed. */
  readonly secrets: readonly string[];
  readonly clock: Clock;
  readonly drift: DriftGate;
  /** `host:port` under which the others reach this node. */
  readonly address: () => string;
}

/** A request whose sender knows the secret, and that was not done before. */
export interface Admitted extends SignedParts {
  /** 1 when a peer asks, which is to be answered from the own store; 0 when somebody else does. */
  readonly hops: 0 | 1;
  /** What the SHA-256 of the body has to be, hex. */
  readonly digest: string;
}

/** Statuses: 401 who does not know the secret, 409 what was done before, 421 what was meant for another node. */
export class Door {
  readonly #options: DoorOptions;
  readonly #keys: ReadonlyMap<string, SigningKey>;
  readonly #seen = new NonceWindow(SIGNED_TOLERANCE_MS);
  readonly #startedAtMs: number;

  constructor(options: DoorOptions) {
    this.#options = options;
    const keys = options.secrets.map(signingKey);
    this.#keys = new Map(keys.map((key) => [key.id, key]));
    this.#startedAtMs = options.clock.monotonicMs();
  }

  /** Nothing of the request but its head is looked at. @throws HttpProblem 400, 401, 409, 421 or 503, DriftError */
  admit(request: IncomingMessage): Admitted {
    const { headers } = request;
    const parts: SignedParts = {
      method: request.method ?? '',
      path: request.url ?? '',
      host: headers.host ?? '',
      header: (name: SignedHeader) => textOf(headers[name]),
    };
    const signature = readSignature(headers.authorization);
    const mac = this.#verify(signature, parts);
    const timeMs = Number(signature.time);
    const nowMs = this.#options.clock.wallMs();
    this.#checkTime(timeMs, nowMs);
    const hops = hopsOf(parts.header(HOPS_HEADER));
    // People's clocks need not be as good as those of nodes: what they put is dated here.
    if (hops === 1) this.#options.drift.checkSent(timeMs);
    if (parts.method === 'PUT') this.#checkPlace(request, parts.host, timeMs);
    this.#checkFirst(mac, timeMs, nowMs);
    return { ...parts, hops, digest: signature.digest };
  }

  #verify(signature: Signature, parts: SignedParts): Buffer {
    const known = this.#keys.get(signature.keyId);
    if (known === undefined) {
      throw unauthorized(
        'unauthorized',
        'it is signed with another secret than those that this node knows (peers.secret)',
      );
    }
    const mac = macOf(known.key, parts, signature);
    if (!timingSafeEqual(mac, Buffer.from(signature.mac, 'hex'))) {
      throw unauthorized(
        'bad-signature',
        'its signature does not fit what arrived: method, path, host, time, nonce, digest or an x-fleetflow header is not what was signed',
      );
    }
    return mac;
  }

  #checkTime(timeMs: number, nowMs: number): void {
    const offMs = timeMs - nowMs;
    const allowedMs = SIGNED_TOLERANCE_MS;
    if (Math.abs(offMs) <= allowedMs) return;
    throw unauthorized(
      'wrong-time',
      `it was signed ${Math.abs(Math.round(offMs))} ms ${offMs < 0 ? 'before' : 'after'} the time of this node; ${allowedMs} ms are accepted. Sign each request when it is sent, and check the clocks`,
    );
  }

  /**
   * A PUT is dated when it arrives, so doing it twice makes old data new. What other nodes remember, and what this one
   * remembered before it started, is not known here.
   */
  #checkPlace({ socket }: IncomingMessage, host: string, timeMs: number): void {
    const { clock, address } = this.#options;
    const { localAddress = '', localPort = 0 } = socket;
    const reached = formatAddress({ host: localAddress.replace(/^::ffff:/, ''), port: localPort });
    const names = [address(), reached, `localhost:${localPort}`].map(hostHeaderOf);
    if (!names.includes(host)) {
      throw new HttpProblem(
        421,
        'misdirected',
        `a PUT is taken only under an address of this node itself: ask it as ${names[0]}`,
      );
    }
    const startedAtMs = clock.wallMs() - (clock.monotonicMs() - this.#startedAtMs);
    if (timeMs >= startedAtMs) return;
    throw new HttpProblem(409, 'replayed', 'it was signed before this node started: sign it anew');
  }

  #checkFirst(mac: Buffer, timeMs: number, nowMs: number): void {
    switch (this.#seen.remember(mac, timeMs, nowMs)) {
      case 'first':
        return;
      case 'again':
        throw new HttpProblem(409, 'replayed', 'this very request was accepted before: sign it anew, with a new nonce');
      case 'stale':
        throw new HttpProblem(409, 'replayed', 'it may have been accepted before: sign it anew, with the time of now');
      case 'full':
        throw new HttpProblem(
          503,
          'overloaded',
          'more requests come than this node can tell from those that it has done: try again later',
          { headers: { 'retry-after': String(Math.ceil((2 * SIGNED_TOLERANCE_MS) / 1_000)) } },
        );
    }
  }
}

/** @throws HttpProblem 401 */
function readSignature(authorization: string | undefined): Signature {
  if (authorization === undefined || authorization === '') {
    throw unauthorized('unsigned', 'it has no authorization');
  }
  const signature = parseSignature(authorization);
  if (signature !== undefined) return signature;
  const isBearer = /^bearer /i.test(authorization);
  throw unauthorized(
    'unsigned',
    isBearer ? 'the secret itself must not travel' : 'its authorization has not the form of a signature',
  );
}

function unauthorized(code: string, why: string): HttpProblem {
  return new HttpProblem(
    401,
    code,
    `the request is refused: ${why}. Sign it with peers.secret, as "authorization: FFC1 <key> <time> <nonce> <digest> <mac>" (docs/peers.md)`,
    { headers: { 'www-authenticate': 'FFC1' } },
  );
}

function hopsOf(header: string | undefined): 0 | 1 {
  if (header === undefined || header === '0') return 0;
  if (header === '1') return 1;
  throw new HttpProblem(
    400,
    'too-many-hops',
    `${HOPS_HEADER} is ${JSON.stringify(header)}: a request is handed on once at most, so only 0 and 1 are allowed`,
  );
}

function textOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(',') : header;
}
