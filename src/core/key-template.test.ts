import { describe, expect, expectTypeOf, it } from 'vitest';
import { type KeyGiven, type KeyId, type KeyPart, keyTemplate, type Placeholder } from './key-template.js';

const refused = (message: RegExp, field = 'key', code = 'invalid-options') =>
  expect.objectContaining({ code, field, message: expect.stringMatching(message) });

describe('a key template', () => {
  it('makes a key of an id, bare or by its name', () => {
    const location = keyTemplate('vehicle:location:{vehicleId}');
    expect(location.key('42')).toBe('vehicle:location:42');
    expect(location.key(42)).toBe('vehicle:location:42');
    expect(location.key({ vehicleId: 18_446_744_073_709_551_615n })).toBe('vehicle:location:18446744073709551615');
    expect(keyTemplate('vehicle:trips:{vehicleId}:recent').key(7)).toBe('vehicle:trips:7:recent');
    expect(keyTemplate('{id}').key('x')).toBe('x');
    expect([location.idOf(42n), location.idOf({ vehicleId: 42 }), location.idOf('42')]).toEqual(['42', '42', '42']);
  });

  it('makes a key of several parts, and takes no bare id for them', () => {
    const hours = keyTemplate('freight:{place}:hours:{vehicle}');
    expect(hours.key({ place: 'delhi', vehicle: 'heavy' })).toBe('freight:delhi:hours:heavy');
    expect(() => hours.key('delhi' as never)).toThrow(
      refused(/object with place, vehicle, got string/, 'place', 'invalid-key'),
    );
    expect(() => hours.key({ place: 'delhi' } as never)).toThrow(
      refused(/vehicle is missing/, 'vehicle', 'invalid-key'),
    );
  });

  it('never makes one key of two ids: none may have a colon, nor a wildcard that would widen a pattern', () => {
    const trip = keyTemplate('trip:{vehicleId}:{day}');
    for (const bad of ['a:b', ':', '*', '4?', '4\\']) {
      expect(() => trip.key({ vehicleId: bad, day: 1 }), bad).toThrow(
        refused(/vehicleId has a ".": an id is one segment/, 'vehicleId', 'invalid-key'),
      );
    }
    expect(trip.key({ vehicleId: 'MH 12 {x}', day: 'दिन' })).toBe('trip:MH 12 {x}:दिन');
  });

  it('names the placeholder of an id that is empty, too long, broken or no id at all', () => {
    const { key } = keyTemplate('v:{vehicleId}');
    const bad: readonly [unknown, RegExp][] = [
      ['', /vehicleId is empty/],
      ['x'.repeat(1_023), /vehicleId has 1023 bytes of UTF-8: at most 1022/],
      ['é'.repeat(512), /vehicleId has 1024 bytes/],
      ['\ud800', /vehicleId has half of a surrogate pair/],
      [1.5, /vehicleId is 1.5: give a whole number/],
      [Number.NaN, /vehicleId is NaN/],
      [2 ** 53, /vehicleId is 9007199254740992/],
      [null, /vehicleId is null/],
      [undefined, /vehicleId is missing/],
      [{}, /vehicleId is missing/],
      [{ vehicleId: {} }, /vehicleId is of type object/],
      [true, /vehicleId is of type boolean/],
    ];
    for (const [id, message] of bad) {
      expect(() => key(id as never), String(message)).toThrow(refused(message, 'vehicleId', 'invalid-key'));
    }
    expect(key('x'.repeat(1_022))).toHaveLength(1_024);
  });

  it('is refused where it is declared, when it is none', () => {
    const bad: readonly [unknown, RegExp][] = [
      ['', /is no text/],
      [42, /is no text/],
      ['vehicle:details', /has no placeholder/],
      ['vehicle::{id}', /empty segment/],
      ['vehicle:{id}:', /empty segment/],
      ['vehicle:{id', /a placeholder is a whole segment/],
      ['vehicle:v{id}', /a placeholder is a whole segment/],
      ['{a}{b}', /a placeholder is a whole segment/],
      ['vehicle:{}', /a placeholder is a whole segment/],
      ['vehicle:{__proto__}', /a placeholder is a whole segment/],
      ['vehicle:*:{id}', /none of \{ \} \* \? \\/],
      ['{id}:{id}', /has \{id\} twice/],
      ['{a}:{b}:{c}:{d}:{e}:{f}:{g}:{h}:{i}', /more than 8 placeholders/],
      [`${'x'.repeat(1_023)}:{id}`, /leaves no room/],
    ];
    for (const [template, message] of bad) {
      expect(() => keyTemplate(template as string), String(template).slice(0, 40)).toThrow(refused(message));
    }
  });

  it('gives ids their type', () => {
    expectTypeOf<Placeholder<'a:{b}:c:{d}'>>().toEqualTypeOf<'b' | 'd'>();
    expectTypeOf<KeyId<'v:{vehicleId}'>>().toEqualTypeOf<string>();
    expectTypeOf<KeyGiven<'v:{vehicleId}'>>().toEqualTypeOf<KeyPart | { readonly vehicleId: KeyPart }>();
    expectTypeOf<KeyId<'{a}:{b}'>>().toEqualTypeOf<{ readonly a: KeyPart; readonly b: KeyPart }>();
    expectTypeOf<KeyGiven<'{a}:{b}'>>().toEqualTypeOf<{ readonly a: KeyPart; readonly b: KeyPart }>();
    expectTypeOf<KeyGiven<'no placeholder'>>().toBeNever();
    expectTypeOf<KeyGiven<string>>().toBeNever();
  });
});
