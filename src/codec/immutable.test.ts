import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { MsgpackCodec } from './msgpack-codec.js';

const codec = new MsgpackCodec();

function decoded<T>(value: T): { value: T; frozen: boolean } {
  return codec.decode(codec.encode(value)) as { value: T; frozen: boolean };
}

describe('a decoded value cannot be changed', () => {
  it('in its objects and arrays, however deep', () => {
    const { value, frozen } = decoded({ a: { list: [{ b: 1 }] } });
    expect(frozen).toBe(true);
    expect(() => {
      value.a.list[0]!.b = 2;
    }).toThrow(TypeError);
    expect(() => value.a.list.push({ b: 3 })).toThrow(TypeError);
    expect(() => Object.assign(value, { c: 1 })).toThrow(TypeError);
  });

  it('by any setter of a Date', () => {
    const at = new Date(1_700_000_000_000);
    const { value } = decoded({ at });
    const setters = Object.getOwnPropertyNames(Date.prototype).filter((name) => name.startsWith('set'));
    expect(setters).toHaveLength(16);
    for (const setter of setters) {
      expect(() => (value.at as unknown as Record<string, (n: number) => void>)[setter]!(1)).toThrow(/copy it first/);
    }
    expect(() => Object.assign(value.at, { note: 1 })).toThrow(TypeError);
    expect(isDeepStrictEqual(value, { at })).toBe(true);
    expect(isDeepStrictEqual({ at }, value)).toBe(true);
    expect(value.at).toStrictEqual(at);
  });

  it('by the mutators of a Map and a Set', () => {
    const wanted = { map: new Map([['a', [1]]]), set: new Set([{ x: 1 }]) };
    const { value, frozen } = decoded(wanted);
    expect(frozen).toBe(true);
    for (const change of [
      () => value.map.set('b', []),
      () => value.map.delete('a'),
      () => value.map.clear(),
      () => value.map.get('a')?.push(2),
      () => value.set.add({ x: 2 }),
      () => value.set.delete([...value.set][0]!),
      () => value.set.clear(),
    ]) {
      expect(change).toThrow(TypeError);
    }
    expect(isDeepStrictEqual(value, wanted)).toBe(true);
    expect(isDeepStrictEqual(wanted, value)).toBe(true);
  });

  it('in a RegExp or an Error', () => {
    const { value, frozen } = decoded([/a+/i, Object.assign(new Error('m'), { code: 'X' })] as const);
    const [regexp, error] = value;
    expect(frozen).toBe(true);
    expect(() => regexp.compile('b')).toThrow(TypeError);
    expect(() => {
      (error as Error).message = 'n';
    }).toThrow(TypeError);
    expect(regexp.test('xAAx')).toBe(true);
    expect(regexp.exec('none')).toBe(null);
    expect(isDeepStrictEqual(value, [/a+/i, Object.assign(new Error('m'), { code: 'X' })])).toBe(true);
  });

  it('and copies of its parts are ordinary again', () => {
    const { value } = decoded({ at: new Date(5), map: new Map([[1, 2]]), list: [1] });
    const at = new Date(value.at);
    at.setTime(6);
    const map = new Map(value.map).set(3, 4);
    expect([at.getTime(), map.size, [...value.list, 2]]).toEqual([6, 2, [1, 2]]);
    expect(structuredClone(value)).toStrictEqual({ at: new Date(5), map: new Map([[1, 2]]), list: [1] });
    expect(isDeepStrictEqual(decoded(value).value, value)).toBe(true);
  });
});

describe('a decoded value says that it is not frozen', () => {
  for (const value of [
    new Uint8Array([1]),
    { deep: [new Float32Array(1)] },
    new Map([[1, new ArrayBuffer(2)]]),
    [new DataView(new ArrayBuffer(1))],
    { matcher: /a/g },
  ]) {
    it(`when it holds ${Object.prototype.toString.call(value)} with parts that cannot be`, () => {
      expect(decoded(value).frozen).toBe(false);
      expect(decoded({ a: 1 }).frozen).toBe(true);
    });
  }

  it('and then each decoding gives a copy of its own', () => {
    const bytes = codec.encode({ body: new Uint8Array([1]), at: new Date(7) });
    const first = codec.decode(bytes).value as { body: Uint8Array };
    first.body[0] = 9;
    expect(codec.decode(bytes).value).toStrictEqual({ body: new Uint8Array([1]), at: new Date(7) });
  });
});

describe('for one reader', () => {
  const bytes = codec.encode({ at: new Date(1_700_000_123_457), list: [1] });

  it('a Date may be left as it is, and the value says so', () => {
    const own = codec.decode(bytes, 'one');
    const { at, list } = own.value as { at: Date; list: number[] };
    expect(own.frozen).toBe(false);
    expect(at.setTime(5)).toBe(5);
    expect(() => list.push(2)).toThrow(TypeError);
  });

  it('is no less frozen when it costs nothing', () => {
    expect(codec.decode(bytes, 'many').frozen).toBe(true);
    const own = codec.decode(bytes, 'one');
    expect(own.frozen).toBe(true);
    expect(() => (own.value as { at: Date }).at.setTime(5)).toThrow(TypeError);
  });
});

describe('dates of equal instants', () => {
  it('are told apart from every other instant', () => {
    const instants = Array.from({ length: 5_000 }, (_, i) => 1_700_000_000_000 + i * 1_000 + (i % 3) * 7);
    const dates = [...instants, ...instants, -1, 0].map((ms) => new Date(ms));
    expect(isDeepStrictEqual(decoded(dates).value, dates)).toBe(true);
  });

  it('do not change when somebody reaches around the guard', () => {
    const { value } = decoded({ at: new Date(1_000) });
    Date.prototype.setTime.call(value.at, 2_000);
    expect(decoded({ at: new Date(1_000) }).value.at.getTime()).toBe(1_000);
    expect(decoded({ at: new Date(2_000) }).value.at.getTime()).toBe(2_000);
  });
});
