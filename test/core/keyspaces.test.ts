import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import type { CacheEvents, Keyspace } from '../../src/core/cache.js';
import type { KeyPart } from '../../src/core/key-template.js';
import type { StandardSchema } from '../../src/core/standard-schema.js';
import { LOAD_FAILURE_MS, sharedLevels, startNode } from './cache-under-test.js';

const vehicle = z.object({ id: z.string(), speedKmh: z.number().min(0) });
type Vehicle = z.infer<typeof vehicle>;

/** A node whose source has what the test puts there, right or wrong. */
function openVehicles(rows: Record<string, unknown>) {
  const node = startNode(sharedLevels());
  const asked: string[][] = [];
  const refusals: CacheEvents['invalid-value'][] = [];
  node.cache.on('invalid-value', (refusal) => refusals.push(refusal));
  const vehicles = node.cache.keyspace({
    name: 'vehicle',
    key: 'vehicle:{vehicleId}',
    lifetime: { ttl: '1h', staleIfError: '1h' },
    tags: (id) => [`vehicle:${id}`],
    schema: vehicle,
    load: async (ids) => {
      asked.push([...ids]);
      return new Map(ids.flatMap((id) => (id in rows ? [[id, rows[id] as Vehicle] as const] : [])));
    },
  });
  return { ...node, vehicles, rows, asked, refusals };
}

describe('a keyspace with a template', () => {
  it('takes an id in any form, and has one entry for it', async () => {
    const { vehicles, asked, cache } = openVehicles({ 42: { id: '42', speedKmh: 1 } });
    expect(await vehicles.get(42)).toEqual({ id: '42', speedKmh: 1 });
    expect(await vehicles.get({ vehicleId: 42n })).toEqual({ id: '42', speedKmh: 1 });
    expect([...(await vehicles.getMany(['42', { vehicleId: '42' }])).keys()]).toEqual(['42']);
    expect(asked).toEqual([['42']]);
    expect((await cache.getEntry(vehicles.key(42)))?.tags).toEqual(['vehicle:42']);
  });

  it('hands objects of several parts on as they were given', async () => {
    const { cache } = startNode();
    const asked: unknown[] = [];
    const trips = cache.keyspace({
      name: 'trips',
      key: 'trips:{vehicleId}:{day}',
      load: async (ids) => {
        asked.push(...ids);
        return new Map(ids.map((id) => [id, `${id.vehicleId} on ${id.day}`]));
      },
    });
    const ids = [
      { vehicleId: 1, day: 'monday' },
      { vehicleId: 2n, day: 'monday' },
    ];
    const found = await trips.getMany(ids);
    expect(asked).toEqual(ids);
    expect(ids.map((id) => found.get(id))).toEqual(['1 on monday', '2 on monday']);
    expect(await cache.get('trips:2:monday')).toBe('2 on monday');
  });

  it('refuses a bad id before anything is asked or written', async () => {
    const { vehicles, asked, cache } = openVehicles({ 1: { id: '1', speedKmh: 1 } });
    const wanted = { code: 'invalid-key', field: 'vehicleId' };
    for (const ask of [
      () => vehicles.get('1:2'),
      () => vehicles.getMany([1, '*']),
      () => vehicles.set('', { id: '', speedKmh: 1 }),
      () => vehicles.delete('x'.repeat(2_000)),
      () => vehicles.warm([1, 1.5]),
      () => vehicles.refresh([1, { vehicleId: '?' }]),
    ]) {
      await expect(ask()).rejects.toMatchObject(wanted);
    }
    expect(asked).toEqual([]);
    expect(cache.stats().reads).toBe(0);
    expect(() => cache.keyspace({ name: 'bad', key: 'vehicle' })).toThrow(
      expect.objectContaining({ code: 'invalid-options', field: 'key' }),
    );
  });

  it('has its types from the template, the loader and the schema', () => {
    const { vehicles, cache } = openVehicles({});
    expectTypeOf(vehicles).toEqualTypeOf<Keyspace<string, Vehicle, KeyPart | { readonly vehicleId: KeyPart }>>();
    expectTypeOf(vehicles.getMany).returns.resolves.toEqualTypeOf<Map<string, Vehicle>>();
    // @ts-expect-error the placeholder has another name
    void (() => vehicles.get({ vehicle: 42 }));
    // @ts-expect-error the schema says what a value is
    void (() => vehicles.set(42, { id: '42' }));
    const trips = cache.keyspace<'trips:{vehicleId}:{day}', number>({ name: 'trips', key: 'trips:{vehicleId}:{day}' });
    expectTypeOf(trips.get).parameter(0).toEqualTypeOf<{ readonly vehicleId: KeyPart; readonly day: KeyPart }>();
    // @ts-expect-error there are two placeholders
    void (() => trips.get('42'));
    // @ts-expect-error one is missing
    void (() => trips.get({ vehicleId: 42 }));
    const byFunction = cache.keyspace<number, Vehicle>({ name: 'vehicle', key: (id) => `vehicle:${id}` });
    expectTypeOf(byFunction).toEqualTypeOf<Keyspace<number, Vehicle>>();
  });
});

describe('the schema of a keyspace', () => {
  it('keeps out what the source says wrongly: named, counted, told, and cached nowhere', async () => {
    const { vehicles, cache, l2, asked, refusals, clock, rows } = openVehicles({ 7: { id: '7', speedKmh: -1 } });
    await expect(vehicles.get(7)).rejects.toMatchObject({
      code: 'load-failed',
      message: expect.stringMatching(
        /^keyspace "vehicle": the schema refuses what the source says for "vehicle:7": speedKmh: /,
      ),
      cause: expect.objectContaining({ code: 'invalid-value', field: 'schema' }),
    });
    await clock.advanceSettled(1);
    expect(cache.peek('vehicle:7')).toBeUndefined();
    expect(l2.entries.has('vehicle:7')).toBe(false);
    expect(cache.stats().invalidValues).toBe(1);
    expect(refusals).toMatchObject([{ keyspace: 'vehicle', key: 'vehicle:7', from: 'source' }]);
    // The source is not asked for it at every read, but soon again.
    await expect(vehicles.get(7)).rejects.toMatchObject({ code: 'load-failed' });
    expect(asked).toHaveLength(1);
    rows[7] = { id: '7', speedKmh: 1 };
    await clock.advanceSettled(LOAD_FAILURE_MS);
    expect(await vehicles.get(7)).toEqual({ id: '7', speedKmh: 1 });
  });

  it('leaves one bad value out of many, and the others are none the worse', async () => {
    const { vehicles, cache, asked } = openVehicles({
      1: { id: '1', speedKmh: 1 },
      2: { id: 2, speedKmh: 2 },
      3: { id: '3', speedKmh: 3 },
    });
    expect([...(await vehicles.getMany([1, 2, 3])).keys()].sort()).toEqual(['1', '3']);
    expect([...(await vehicles.getMany([1, 2, 3])).keys()].sort()).toEqual(['1', '3']);
    expect(asked).toEqual([['1', '2', '3']]);
    expect(cache.stats().invalidValues).toBe(1);
    await vehicles.warm([1, 2, 3]);
  });

  it('serves the stale copy when what the source says is refused', async () => {
    const { vehicles, rows, clock } = openVehicles({ 7: { id: '7', speedKmh: 1 } });
    await vehicles.get(7);
    rows[7] = { id: '7' };
    await clock.advanceSettled(3_600_001);
    expect(await vehicles.get(7)).toEqual({ id: '7', speedKmh: 1 });
  });

  it('removes what somebody else wrote wrongly, and loads it anew', async () => {
    const { vehicles, cache, asked, refusals, clock } = openVehicles({ 7: { id: '7', speedKmh: 1 } });
    const read = { one: () => vehicles.get(7), many: async () => (await vehicles.getMany([7])).get('7') };
    for (const [i, ask] of [read.one, read.many].entries()) {
      await cache.set('vehicle:7', { id: 7, speed: 'fast' });
      await clock.advanceSettled(5);
      const asking = ask();
      await clock.advanceSettled(100);
      expect(await asking).toEqual({ id: '7', speedKmh: 1 });
      expect(refusals.at(-1)).toMatchObject({ from: 'cache', key: 'vehicle:7' });
      expect(asked).toHaveLength(i + 1);
      // It is kept: the next read asks nobody.
      expect(await ask()).toEqual({ id: '7', speedKmh: 1 });
      expect(asked).toHaveLength(i + 1);
      expect(await cache.get('vehicle:7')).toEqual({ id: '7', speedKmh: 1 });
    }
  });

  it('counts as missing what is wrong where nobody can load it', async () => {
    const { cache } = startNode();
    const numbers = cache.keyspace({ name: 'numbers', key: 'n:{id}', schema: z.number() });
    await cache.set('n:1', 'one');
    await cache.set('n:2', 2);
    expect(await numbers.get(1)).toBeUndefined();
    expect(await numbers.get(2)).toBe(2);
    expect([...(await numbers.getMany([1, 2]))]).toEqual([['2', 2]]);
    expect(cache.stats().invalidValues).toBe(2);
    expect(await cache.get('n:1')).toBe('one');
  });

  it('refuses what set is given before anything changes, and keeps what it makes of the rest', async () => {
    const { vehicles, cache } = openVehicles({});
    await expect(vehicles.set(7, { id: '7', speedKmh: -1 })).rejects.toMatchObject({
      code: 'invalid-value',
      message: expect.stringContaining('the given value'),
    });
    expect(await cache.get('vehicle:7')).toBeUndefined();
    await vehicles.set(7, { id: '7', speedKmh: 1, colour: 'red' } as Vehicle);
    expect(await cache.get('vehicle:7')).toEqual({ id: '7', speedKmh: 1 });
    expect(cache.stats().invalidValues).toBe(0);
  });

  it('looks once at an object that memory hands out again and again', async () => {
    const { cache } = startNode();
    let looks = 0;
    const schema: StandardSchema<{ n: number }> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) => {
          looks += 1;
          return { value: value as { n: number } };
        },
      },
    };
    const objects = cache.keyspace({
      name: 'objects',
      key: 'o:{id}',
      schema,
      load: async () => new Map([['1', { n: 1 }]]),
    });
    await objects.get(1);
    await objects.get(1);
    const before = looks;
    for (let i = 0; i < 10; i++) expect(await objects.get(1)).toEqual({ n: 1 });
    expect(looks).toBe(before);
  });

  it('must be one, and answer at once', async () => {
    const { cache } = startNode();
    const declare = (schema: unknown) =>
      cache.keyspace({ name: 'x', key: 'x:{id}', schema: schema as StandardSchema<number> });
    for (const bad of [{}, null, { '~standard': { version: 2, validate: () => {} } }]) {
      expect(() => declare(bad)).toThrow(expect.objectContaining({ code: 'invalid-options', field: 'schema' }));
    }
    const slow = declare(z.number().refine(async () => true));
    await expect(slow.set(1, 1)).rejects.toMatchObject({ code: 'invalid-options', field: 'schema' });
  });
});
