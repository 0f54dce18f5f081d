import { afterEach, describe, expect, it } from 'vitest';
import { createCache } from '../../src/index.js';
import { createFleet, openFleetDatabase } from '../../src/node/fleet.js';
import { createOwnDatabase } from '../servers.js';

const opened: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

describe('the fleet as an application opens it', () => {
  it('records a position in PostgreSQL and in the cache, and reads it without another query', async () => {
    const own = await createOwnDatabase();
    opened.push(() => own.drop());
    const database = openFleetDatabase(own.url);
    opened.push(() => database.close());
    expect((await database.migrate()).length).toBeGreaterThan(0);
    expect(await database.migrate()).toEqual([]);
    const cache = await createCache({});
    opened.push(() => cache.close());
    const fleet = createFleet({ cache, repository: database.repository });
    opened.push(() => fleet.close());

    const at = new Date(Date.now() - 1_000);
    const recorded = await fleet.recordLocation({
      vehicleId: 42n,
      lat: 19.07,
      lon: 72.87,
      speedKmh: 40,
      engineOn: true,
      at,
    });
    expect(recorded.outcome).toBe('newest');
    const queries = database.queries;
    expect(await fleet.vehicleLocation('42')).toMatchObject({ vehicleId: '42', lat: 19.07, at });
    expect(database.queries).toBe(queries);

    await cache.clear();
    expect(await fleet.vehicleLocation(42)).toMatchObject({ vehicleId: '42', lon: 72.87, at });
    expect(database.queries).toBe(queries + 1);
  });
});
