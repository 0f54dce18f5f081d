import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../test/virtual-clock.js';
import { type Discovery, DiscoveryLoop, dnsDiscovery, type NameLookup, registryDiscovery } from './discovery.js';

let clock: VirtualClock;
let found: (readonly string[])[];
let errors: string[];

beforeEach(() => {
  clock = new VirtualClock();
  found = [];
  errors = [];
});

function loopOf(...discoveries: Discovery[]): DiscoveryLoop {
  return new DiscoveryLoop({
    clock,
    discoveries,
    self: 'self:1',
    onFound: async (addresses) => {
      found.push(addresses);
    },
    onError: ({ message }) => errors.push(message),
  });
}

/** Says one thing after the other; an error is thrown, `never` does not answer. */
function scripted(...said: (readonly string[] | Error | 'never')[]): Discovery {
  return {
    name: 'a script',
    find: () => {
      const next = said.length > 1 ? said.shift() : said[0];
      if (next === 'never') return new Promise(() => {});
      return next instanceof Error ? Promise.reject(next) : Promise.resolve(next ?? []);
    },
    withdraw: async () => {},
  };
}

const lookup: NameLookup = {
  addresses: async (name) => (name === 'peers.city' ? ['10.0.0.1', 'fd00::2'] : []),
  services: async (name) => (name === '_peer._tcp.peers.city' ? [{ name: 'peers-0.city', port: 7946 }] : []),
};

describe('discovery', () => {
  it('finds the addresses behind a name, with one port for all', async () => {
    await loopOf(dnsDiscovery(lookup, 'peers.city', 7946)).start();
    expect(found).toEqual([['10.0.0.1:7946', '[fd00::2]:7946']]);
  });

  it('finds the targets of a service, each with its port', async () => {
    await loopOf(dnsDiscovery(lookup, '_peer._tcp.peers.city', undefined)).start();
    expect(found).toEqual([['peers-0.city:7946']]);
  });

  it('says in a registry that this node is there, again and again, and takes it back at the end', async () => {
    const said: string[] = [];
    const loop = loopOf(
      registryDiscovery({
        announce: async (address, ttlMs) => {
          said.push(`${address} for ${ttlMs}`);
          return ['other:1', address];
        },
        withdraw: async (address) => {
          said.push(`not ${address}`);
        },
      }),
    );
    await loop.start();
    await clock.advanceSettled(10_000);
    await loop.close();
    expect(said).toEqual(['self:1 for 30000', 'self:1 for 30000', 'not self:1']);
    expect(found).toEqual([
      ['other:1', 'self:1'],
      ['other:1', 'self:1'],
    ]);
    expect(clock.pending).toBe(0);
  });

  it('puts together what several places say, and asks again every ten seconds', async () => {
    const loop = loopOf(scripted(['a:1'], ['a:1', 'b:1']), scripted(['c:1', 'a:1']));
    await loop.start();
    await clock.advanceSettled(10_000);
    expect(found).toEqual([
      ['a:1', 'c:1'],
      ['a:1', 'b:1', 'c:1'],
    ]);
    await loop.close();
  });

  it('goes by what was said last when it cannot ask, and tells of it once until it can again', async () => {
    const loop = loopOf(scripted(['a:1'], new Error('SERVFAIL'), new Error('SERVFAIL'), ['b:1'], new Error('again')));
    await loop.start();
    for (let i = 0; i < 4; i++) await clock.advanceSettled(10_000);
    expect(found.map((addresses) => addresses.join())).toEqual(['a:1', 'a:1', 'a:1', 'b:1', 'b:1']);
    expect(errors).toEqual(['SERVFAIL', 'again']);
    await loop.close();
  });

  it('does not wait for long for a place that does not answer', async () => {
    const started = loopOf(scripted('never'), scripted(['a:1'])).start();
    await clock.advanceSettled(2_000);
    await started;
    expect(found).toEqual([['a:1']]);
    expect(errors[0]).toMatch(/a script/);
  });

  it('has nothing to do when there is nowhere to look', async () => {
    await loopOf().start();
    expect(found).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});
