export type RedisArgument = string | Uint8Array;

const FIRST_BYTES = 16_384;
/** What one large turn took is given back. */
const KEPT_MAX_BYTES = 262_144;
/** Mark, digits of any length, and end of line. */
const LINE_BYTES = 24;
const CR = 13;
const LF = 10;
const ZERO = 48;
const STAR = 42;
const DOLLAR = 36;
const ASCII_END = 0x80;
/** Up to here a loop is faster than a call out of JavaScript. */
const SHORT = 96;

/** Commands one behind the other, as they go over the wire: arrays of bulk strings, the same in RESP2 and RESP3. */
export class RespEncoder {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(args: readonly RedisArgument[]): void {
    this.#reserve(LINE_BYTES);
    this.#line(STAR, args.length);
    for (const argument of args) {
      if (typeof argument === 'string') this.#text(argument);
      else this.#raw(argument);
    }
  }

  /**
   * Hands over all commands that were added since the last time.
   * @param write returns whether it has no more need of the bytes; else they stay as they are
   */
  drain(write: (commands: Buffer) => boolean): void {
    const isFree = write(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
    if (!isFree || this.#bytes.length > KEPT_MAX_BYTES) this.#bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  }

  #raw(argument: Uint8Array): void {
    this.#reserve(argument.length + LINE_BYTES);
    this.#line(DOLLAR, argument.length);
    this.#bytes.set(argument, this.#length);
    this.#length += argument.length;
    this.#end();
  }

  #text(argument: string): void {
    // A character takes three bytes at most; a pair of surrogates four.
    this.#reserve(argument.length * 3 + LINE_BYTES);
    const startsAt = this.#length;
    if (argument.length <= SHORT) {
      this.#line(DOLLAR, argument.length);
      const bytes = this.#bytes;
      let at = this.#length;
      let i = 0;
      for (; i < argument.length; i++) {
        const code = argument.charCodeAt(i);
        if (code >= ASCII_END) break;
        bytes[at++] = code;
      }
      if (i === argument.length) {
        this.#length = at;
        this.#end();
        return;
      }
      this.#length = startsAt;
    }
    this.#line(DOLLAR, Buffer.byteLength(argument));
    this.#length += this.#bytes.write(argument, this.#length);
    this.#end();
  }

  #line(mark: number, number: number): void {
    const bytes = this.#bytes;
    bytes[this.#length++] = mark;
    let unit = 1;
    while (unit * 10 <= number) unit *= 10;
    for (let rest = number; unit >= 1; unit = Math.floor(unit / 10)) {
      const digit = Math.floor(rest / unit);
      rest -= digit * unit;
      bytes[this.#length++] = ZERO + digit;
    }
    this.#end();
  }

  #end(): void {
    this.#bytes[this.#length++] = CR;
    this.#bytes[this.#length++] = LF;
  }

  #reserve(sizeBytes: number): void {
    const neededBytes = this.#length + sizeBytes;
    if (neededBytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(neededBytes, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}
