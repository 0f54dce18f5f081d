import type { Dice } from './dice.js';

/** Numbers at which lengths and counts break. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff];
const TEXTS = [
  '',
  'x',
  '../',
  '\0',
  '%',
  '\u{1f69a}',
  '\ud800',
  'constructor',
  '__proto__',
  'x'.repeat(1_500),
  '127.0.0.1:7',
  ':0',
];

/** Bytes with some of them changed, cut, doubled or made to count wrong. */
export function mutateBytes(dice: Dice, bytes: Buffer): Buffer {
  let changed = Buffer.from(bytes);
  for (let times = 1 + dice.int(4); times > 0; times--) {
    const at = dice.int(changed.length + 1);
    switch (dice.int(6)) {
      case 0:
        changed = changed.subarray(0, at);
        break;
      case 1:
        changed = Buffer.concat([changed.subarray(0, at), dice.bytes(1 + dice.int(40)), changed.subarray(at)]);
        break;
      case 2:
        changed = Buffer.concat([changed, changed.subarray(at)]);
        break;
      case 3:
        if (changed.length >= 4) changed.writeUInt32BE(dice.pick(EDGES), dice.int(changed.length - 3));
        break;
      case 4:
        if (changed.length >= 2) changed.writeUInt16BE(dice.pick(EDGES) & 0xffff, dice.int(changed.length - 1));
        break;
      default:
        if (changed.length > 0) flip(changed, dice.int(changed.length), dice.int(8));
    }
  }
  return changed;
}

function flip(bytes: Buffer, at: number, bit: number): void {
  bytes[at] = (bytes[at] as number) ^ (1 << bit);
}

/** JSON with a value or two of it replaced, left out or doubled; or its text, mutated. Names no address but loopback. */
export function mutateJson(dice: Dice, value: unknown): string {
  let changed = structuredClone(value);
  for (let times = 1 + dice.int(3); times > 0; times--) changed = replaceOne(dice, changed);
  const text = JSON.stringify(changed) ?? '';
  const odd = dice.chance(0.2) ? mutateBytes(dice, Buffer.from(text)).toString('latin1') : text;
  return odd.replace(/[\w.-]{1,60}:(?=\d)/g, '127.0.0.1:');
}

function replaceOne(dice: Dice, value: unknown): unknown {
  if (dice.chance(0.2) || typeof value !== 'object' || value === null) return anything(dice);
  if (Array.isArray(value)) {
    const at = dice.int(value.length + 1);
    if (dice.chance(0.2)) return [...value, ...value, ...value];
    return value.toSpliced(at, 1, at === value.length ? anything(dice) : replaceOne(dice, value[at]));
  }
  const name = dice.pick(Object.keys(value));
  if (name === undefined) return { [dice.pick(TEXTS)]: anything(dice) };
  const { [name]: old, ...rest } = value as Record<string, unknown>;
  return dice.chance(0.2) ? rest : { ...rest, [name]: replaceOne(dice, old) };
}

function anything(dice: Dice, depth = 0): unknown {
  switch (dice.int(depth > 2 ? 6 : 9)) {
    case 0:
      return null;
    case 1:
      return dice.chance(0.5);
    case 2:
      return dice.pick([...EDGES, -1, 0.5, 1e308, Number.MAX_SAFE_INTEGER, 2 ** 53]);
    case 3:
    case 4:
      return dice.pick(TEXTS);
    case 5:
      return dice.hex(dice.int(20));
    case 6:
      return Array.from({ length: dice.int(5) }, () => anything(dice, depth + 1));
    case 7:
      return { toString: 1, valueOf: 1, toJSON: 1, length: 3 };
    default:
      return { [dice.pick(TEXTS)]: anything(dice, depth + 1) };
  }
}
