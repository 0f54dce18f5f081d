import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CacheError } from '../../src/core/errors.js';
import { type PeerNode, startNode, stopNodes } from '../peer/peer-nodes.js';
import { signedHeaders } from '../peer/signing.js';
import { attack } from './attack.js';

const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);
/** `npm run fuzz` sends 100,000. */
const REQUESTS = Number(process.env.FUZZ_REQUESTS ?? 5_000);
/** The store may fill, and what is under way takes some. */
const RSS_GROWTH_MAX_BYTES = 256 * 1_048_576;

let node: PeerNode;
const refused = new Set<string>();

beforeAll(async () => {
  node = await startNode({ onRefused: (reason) => refused.add(reason) });
});
afterAll(() => stopNodes([node]));

describe(`a node that is sent ${REQUESTS} random and malformed requests, seed ${SEED}`, () => {
  it('neither falls over nor grows, calls no bad input its own failure, and answers the next good request', async () => {
    const { address } = node.peers;
    const { failures, statuses, rssGrowthBytes } = await attack({ address, requests: REQUESTS, seed: SEED });
    process.stdout.write(
      `${[...statuses]
        .sort()
        .map(([status, count]) => `${status}: ${count}`)
        .join(', ')}; RSS grew by ${Math.round(rssGrowthBytes / 1_048_576)} MiB\n`,
    );
    expect(failures).toEqual([]);
    expect(node.errors.filter((error) => !(error instanceof CacheError))).toEqual([]);
    expect(rssGrowthBytes).toBeLessThan(RSS_GROWTH_MAX_BYTES);
    const path = '/internal/cache/set/after';
    const headers = { 'x-fleetflow-ttl': '60s', 'x-fleetflow-hops': '1' };
    const put = await fetch(`http://${address}${path}`, {
      method: 'PUT',
      headers: signedHeaders({ method: 'PUT', path, address, headers, body: 'good' }),
      body: 'good',
    });
    expect([put.status, await put.json()]).toMatchObject([200, { outcome: 'stored' }]);
  }, 900_000);

  it('comes as far as each reason that there is to refuse', () => {
    expect([...refused]).toEqual(
      expect.arrayContaining([
        'unsigned',
        'unauthorized',
        'bad-signature',
        'wrong-time',
        'wrong-digest',
        'replayed',
        'malformed',
        'too-large',
        'too-many-hops',
        'invalid-key',
        'invalid-ttl',
        'invalid-tag',
        'invalid-options',
        'clock-drift',
        'not-found',
        'method-not-allowed',
      ]),
    );
  });
});
