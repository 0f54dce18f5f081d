import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileGlob } from './glob.js';

/** The same language as a regular expression: slow on bad patterns, but plainly right. */
function oracle(pattern: string): RegExp {
  const source = [...pattern.matchAll(/\\(.)|(.)/gsu)].map(([, escaped, plain]) => {
    if (plain === '*') return '.*';
    if (plain === '?') return '[^:]';
    return (escaped ?? plain ?? '').replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
  });
  return new RegExp(`^${source.join('')}$`, 'su');
}

const text = (units: readonly string[], maxLength: number) =>
  fc.array(fc.constantFrom(...units), { maxLength }).map((parts) => parts.join(''));
const key = text(['a', 'b', ':', '*', '?', '\\', '🚚', 'é', '\n'], 12);
const pattern = text(['a', 'b', ':', '*', '?', '\\*', '\\?', '\\\\', '\\a', '🚚', 'é', '\n', '.', '['], 8).filter(
  (one) => one !== '',
);

describe('compileGlob', () => {
  it('matches what a regular expression of the same meaning matches', () => {
    fc.assert(
      fc.property(pattern, key, (glob, one) => {
        expect(compileGlob(glob).matches(one)).toBe(oracle(glob).test(one));
      }),
      { numRuns: 5_000 },
    );
  });

  it('matches a key made from the pattern itself', () => {
    fc.assert(
      fc.property(pattern, text(['a', '🚚', 'bb', ':'], 3), (glob, run) => {
        const made = glob.replace(/\\(.)|(\*)|(\?)/gsu, (_, escaped, star) => escaped ?? (star ? run : 'x'));
        expect(compileGlob(glob).matches(made)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['vehicle:trips:42:*', 'vehicle:trips:42:2026-11', true],
    ['vehicle:trips:42:*', 'vehicle:trips:42:', true],
    ['vehicle:trips:42:*', 'vehicle:trips:420:x', false],
    ['route:*:42', 'route:mumbai:pune:42', true],
    ['route:*:42', 'route:42', false],
    ['vehicle:?:x', 'vehicle:::x', false],
    ['vehicle:?', 'vehicle:🚚', true],
    ['*', '', true],
    ['?', '', false],
  ])('%s on %s: %s', (glob, one, matches) => {
    expect(compileGlob(glob).matches(one)).toBe(matches);
  });

  it.each(['', 'a\\', 'k'.repeat(1_025), '?????????', 'a*b*c*d*e*f*g*h*i*', '\ud83d', 7, null])(
    'refuses pattern %j and names it',
    (glob) => {
      const wanted = expect.objectContaining({ code: 'invalid-pattern', field: 'pattern' });
      expect(() => compileGlob(glob as string)).toThrow(wanted);
    },
  );

  it('counts a run of stars as one', () => {
    expect(compileGlob('*'.repeat(100)).matches('anything')).toBe(true);
  });

  it('looks at a key a bounded number of times, however bad the pattern', () => {
    const bad = `${'*a'.repeat(7)}*${'a'.repeat(500)}b`;
    let looks = 0;
    const watched = new Proxy(new String('a'.repeat(1_024)), {
      get(target, property) {
        looks += 1;
        const member: unknown = Reflect.get(target, property, target);
        return typeof member === 'function' ? member.bind(target) : member;
      },
    });
    expect(compileGlob(bad).matches(watched as unknown as string)).toBe(false);
    // A few looks for each pair of a character of the key and one of the pattern.
    expect(looks).toBeLessThan(6 * 1_024 * bad.length);
    expect(looks).toBeGreaterThan(1_024);
  });
});
