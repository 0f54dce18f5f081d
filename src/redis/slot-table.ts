/** Slots of a Redis Cluster. */
export const SLOTS = 16_384;

/** Which node serves which slots: `first` to `last`, both included. */
export interface SlotRange {
  readonly first: number;
  readonly last: number;
  /** `host:port` of the primary. */
  readonly address: string;
}

/**
 * The slot of a key: CRC16 (XMODEM) of its hash tag, the bytes between the first `{` and the next `}`, or of the whole
 * key when there is none or it is empty. (Redis Cluster specification, "Hash tags" and appendix A.)
 */
export function slotOf(key: string): number {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  return crc16(close > open + 1 ? key.slice(open + 1, close) : key) % SLOTS;
}

const POLYNOMIAL = 0x1021;
const CRC_OF_BYTE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ POLYNOMIAL;
  return crc & 0xffff;
});

function crc16(text: string): number {
  let crc = 0;
  for (const byte of Buffer.from(text)) crc = ((crc << 8) & 0xffff) ^ (CRC_OF_BYTE[(crc >> 8) ^ byte] as number);
  return crc;
}

/** Who serves each slot, as far as is known. */
export class SlotTable {
  /** Index into `#addresses`, plus one; 0 is nobody. */
  readonly #owners = new Uint16Array(SLOTS);
  #addresses: string[] = [];
  /** Asked for far more often than it changes, and 16,384 slots take a third of a millisecond to look through. */
  #serving: ReadonlySet<string> | undefined;

  /** The primary of a slot, or undefined when nobody is known to serve it. */
  ownerOf(slot: number): string | undefined {
    return this.#addresses[(this.#owners[slot] ?? 0) - 1];
  }

  /** The primaries that serve at least one slot. */
  owners(): ReadonlySet<string> {
    if (this.#serving === undefined) {
      const used = new Set(this.#owners);
      this.#serving = new Set(this.#addresses.filter((_, index) => used.has(index + 1)));
    }
    return this.#serving;
  }

  /** Slots that nobody is known to serve. */
  get uncovered(): number {
    return this.#owners.reduce((count, owner) => count + (owner === 0 ? 1 : 0), 0);
  }

  /** Takes over a whole view of the cluster. What it does not mention is served by nobody. */
  replace(ranges: readonly SlotRange[]): void {
    this.#serving = undefined;
    this.#addresses = [];
    this.#owners.fill(0);
    for (const { first, last, address } of ranges) this.#owners.fill(this.#indexOf(address), first, last + 1);
  }

  /** One slot is served by another node now. */
  move(slot: number, address: string): void {
    this.#serving = undefined;
    this.#owners[slot] = this.#indexOf(address);
  }

  #indexOf(address: string): number {
    const known = this.#addresses.indexOf(address);
    return known >= 0 ? known + 1 : this.#addresses.push(address);
  }
}
