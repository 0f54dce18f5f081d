import { createHash, timingSafeEqual } from 'node:crypto';

/** Who guesses one of this length at random does not live to see it. */
export const TOKEN_LENGTH_MIN = 32;

/**
 * Knows who may come in by the `Authorization: Bearer` of a request. How long it takes to find out says nothing of the
 * token: what is compared are digests, all of them, in constant time.
 */
export class Bearers {
  readonly #digests: readonly Buffer[];

  /** @param tokens more than one while they are changed */
  constructor(tokens: readonly string[]) {
    this.#digests = tokens.map(digestOf);
  }

  /** @param authorization the header, if there is one */
  knows(authorization: string | undefined): boolean {
    const given = digestOf(/^Bearer ([\x21-\x7e]+)$/i.exec(authorization ?? '')?.[1] ?? '');
    return this.#digests.map((digest) => timingSafeEqual(digest, given)).includes(true);
  }
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
