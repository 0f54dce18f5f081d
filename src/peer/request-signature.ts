import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto';

/**
 * How a request between nodes, or from a person with the secret, is signed. The secret itself never travels.
 *
 *     authorization: FFC1 <key> <time> <nonce> <digest> <mac>
 *
 * `key` is which secret: the first 8 hex digits of its SHA-256. `time` is when, in ms since 1970. `nonce` is 32 hex
 * digits that the sender never uses again. `digest` is the SHA-256 of the body. `mac` is the HMAC-SHA256 (RFC 2104),
 * under the secret, of these lines, each ended by a line feed:
 *
 *     FFC1, method, path as it is sent, host, time, nonce, digest, and name:value of each header in SIGNED_HEADERS that
 *     is sent, in the order of their names
 *
 * The digest stands in the header, so that who asks is known before a byte of the body is read. Everything that a node
 * reads of a request is signed: what is not in SIGNED_HEADERS is not looked at.
 */
const SIGNATURE_SCHEME = 'FFC1';

/** In the order of their names. */
export const SIGNED_HEADERS = [
  'x-fleetflow-epoch',
  'x-fleetflow-event-time',
  'x-fleetflow-hops',
  'x-fleetflow-tags',
  'x-fleetflow-ttl',
] as const;
export type SignedHeader = (typeof SIGNED_HEADERS)[number];

/** A secret, ready to sign with. */
export interface SigningKey {
  readonly id: string;
  readonly key: KeyObject;
}

/** What is signed, besides what the signature itself says. */
export interface SignedParts {
  readonly method: string;
  readonly path: string;
  readonly host: string;
  header(name: SignedHeader): string | undefined;
}

export interface Signature {
  readonly keyId: string;
  /** As it was written: 13 digits. */
  readonly time: string;
  readonly nonce: string;
  /** SHA-256 of the body, hex. */
  readonly digest: string;
  readonly mac: string;
}

const FORM = /^FFC1 ([0-9a-f]{8}) (\d{13}) ([0-9a-f]{32}) ([0-9a-f]{64}) ([0-9a-f]{64})$/;
const KEY_ID_DIGITS = 8;

export function signingKey(secret: string): SigningKey {
  return { id: digestOf(secret).slice(0, KEY_ID_DIGITS), key: createSecretKey(Buffer.from(secret, 'utf8')) };
}

/** What the `host` header says of a request to `host:port`. */
export function hostHeaderOf(address: string): string {
  return new URL(`http://${address}`).host;
}

/** SHA-256 as hex. */
export function digestOf(body: string | Uint8Array): string {
  return hash('sha256', body, 'hex');
}

/** The value of `authorization`. */
export function signRequest(
  { id, key }: SigningKey,
  parts: SignedParts,
  body: string | Uint8Array,
  timeMs: number,
  nonce: string,
): string {
  const time = String(Math.floor(timeMs));
  const digest = digestOf(body);
  const mac = macOf(key, parts, { time, nonce, digest }).toString('hex');
  return `${SIGNATURE_SCHEME} ${id} ${time} ${nonce} ${digest} ${mac}`;
}

/** What `signRequest` wrote; undefined for anything else. */
export function parseSignature(authorization: string): Signature | undefined {
  const match = FORM.exec(authorization);
  if (match === null) return undefined;
  const [, keyId = '', time = '', nonce = '', digest = '', mac = ''] = match;
  return { keyId, time, nonce, digest, mac };
}

/** What the mac of a request has to be. */
export function macOf(
  key: KeyObject,
  { method, path, host, header }: SignedParts,
  { time, nonce, digest }: Pick<Signature, 'time' | 'nonce' | 'digest'>,
): Buffer {
  let text = `${SIGNATURE_SCHEME}\n${method}\n${path}\n${host}\n${time}\n${nonce}\n${digest}\n`;
  for (const name of SIGNED_HEADERS) {
    const value = header(name);
    if (value !== undefined) text += `${name}:${value}\n`;
  }
  return createHmac('sha256', key).update(text).digest();
}
