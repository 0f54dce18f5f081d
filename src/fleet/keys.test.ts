import { describe, expect, it } from 'vitest';
import { compileGlob } from '../core/glob.js';
import { keyTemplate } from '../core/key-template.js';
import { keys, patterns, tags, templates } from './keys.js';

describe('the keys of the fleet', () => {
  it('are those that the platform has always used', () => {
    expect(keys.location('42')).toBe('vehicle:location:42');
    expect(keys.status('42')).toBe('vehicle:status:42');
    expect(keys.trips('42')).toBe('vehicle:trips:42:recent');
    expect(keys.fuel('42')).toBe('vehicle:fuel:42:recent');
    expect(keys.maintenance('42')).toBe('vehicle:maintenance:42');
    expect(keys.details('42')).toBe('vehicle:details:42');
    expect(keys.nearby('19.07,72.87')).toBe('nearby:vehicles:19.07,72.87');
    expect([tags.locations, tags.vehicle('42'), tags.region('19.07,72.87')]).toEqual([
      'type:location',
      'vehicle:42',
      'region:19.07,72.87',
    ]);
  });

  it('are what the templates of the keyspaces make', () => {
    for (const kind of ['location', 'status', 'details', 'trips', 'fuel', 'maintenance', 'ewayBills'] as const) {
      expect(keyTemplate(templates[kind]).key('42')).toBe(keys[kind]('42'));
    }
    expect(keyTemplate(templates.nearby).key('-19.07,72.87')).toBe(keys.nearby('-19.07,72.87'));
  });

  it('are covered by the patterns of their vehicle and of no other', () => {
    expect(compileGlob(patterns.trips('42')).matches(keys.trips('42'))).toBe(true);
    expect(compileGlob(patterns.trips('42')).matches(keys.trips('421'))).toBe(false);
    expect(compileGlob(patterns.fuel('42')).matches(keys.fuel('42'))).toBe(true);
    expect(compileGlob(patterns.fuel('42')).matches(keys.trips('42'))).toBe(false);
    expect(compileGlob(patterns.routes('42')).matches('route:polyline:42')).toBe(true);
    expect(compileGlob(patterns.routes('42')).matches('route:polyline:142')).toBe(false);
  });
});
