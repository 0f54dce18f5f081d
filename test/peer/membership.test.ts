import { describe, expect, it } from 'vitest';
import { MEMBERSHIP_PROFILES } from '../../src/peer/membership-profile.js';
import { CALM, type Machine, MemberNetwork, seededChance } from './member-network.js';

const PROFILE = MEMBERSHIP_PROFILES.near;
/** Whatever happened before: so long after the network is whole and everybody runs, all know the same. */
const AGREE_MAX_MS = 30_000;
const SEEDS = ['10.0.0.1:7946', '10.0.0.2:7946'];

/** Whom a machine takes for being there, itself included. */
function view({ membership }: Machine): string {
  const there = membership.table.there().map(({ address, id }) => `${id}@${address}`);
  const { id, address } = membership.table.self;
  return [...there, `${id}@${address}`].sort().join(' ');
}

function statusAt({ membership }: Machine, of: Machine): string | undefined {
  return membership.table.get(of.membership.table.self.id)?.status;
}

/** What kinds of changes a machine told of after an instant. */
function since({ changes }: Machine, sinceMs: number): string[] {
  return changes.filter(({ atMs }) => atMs > sinceMs).map(({ change }) => change.kind);
}

function statuses({ membership }: Machine): Set<string> {
  return new Set(membership.table.there().map(({ status }) => status));
}

/** Everybody knows exactly those who live, and suspects nobody. */
function agree(network: MemberNetwork): boolean {
  const living = network.living();
  const expected = living
    .map(({ membership: { table } }) => `${table.self.id}@${table.self.address}`)
    .sort()
    .join(' ');
  return living.every((machine) => view(machine) === expected && !statuses(machine).has('suspect'));
}

function startAll(seed: number, count: number): MemberNetwork {
  const network = new MemberNetwork(seed, PROFILE);
  for (let i = 0; i < count; i++) network.start(SEEDS);
  return network;
}

/** Half a minute of trouble out of a seed, at the end of which everything is whole again. */
function play(network: MemberNetwork, seed: number): void {
  const chance = seededChance(seed ^ 0x5bd1e995);
  const any = (): Machine => network.machines[Math.floor(chance.next() * network.machines.length)] as Machine;
  for (let step = 0; step < 12; step++) {
    const dice = chance.next();
    if (dice < 0.2) network.weather = { loss: chance.next() * 0.3, duplication: 0.2, delayMaxMs: 300 };
    else if (dice < 0.35) for (const machine of network.machines) machine.side = chance.next() < 0.5 ? 0 : 1;
    else if (dice < 0.5) network.stall(any(), chance.next() * 15_000);
    else if (dice < 0.65) network.kill(any());
    else if (dice < 0.8) network.restart(any(), SEEDS);
    else if (dice < 0.9) for (const machine of network.machines) machine.side = 0;
    else network.weather = CALM;
    network.run(chance.next() * 6_000);
  }
  network.weather = CALM;
  for (const machine of network.machines) {
    machine.side = 0;
    machine.stalledUntilMs = 0;
  }
}

describe('members of a city', () => {
  it('know each other soon after they started together', () => {
    for (const count of [1, 3, 8, 20]) {
      const network = startAll(count, count);
      expect(network.runUntil(5_000, () => agree(network))).toBeDefined();
    }
  });

  it('agree on who is there soon after whatever happened is over', () => {
    const late: string[] = [];
    for (let seed = 1; seed <= 14; seed++) {
      const network = startAll(seed, 3 + ((seed * 5) % 18));
      play(network, seed);
      if (network.runUntil(AGREE_MAX_MS, () => agree(network)) === undefined) late.push(`seed ${seed}`);
    }
    expect(late).toEqual([]);
  });

  it('miss one that died within seconds, all of them, though a tenth of all messages is lost', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const network = startAll(seed, 5);
      network.run(10_000);
      network.weather = { loss: 0.1, duplication: 0.1, delayMaxMs: 50 };
      const dead = network.machines[2] as Machine;
      network.kill(dead);
      const missed = network.runUntil(8_000, () => network.living().every((one) => statusAt(one, dead) === 'down'));
      expect(missed).toBeDefined();
    }
  });

  it('take nobody for dead while a tenth of all messages is lost', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const network = startAll(seed, 8);
      network.run(10_000);
      network.weather = { loss: 0.1, duplication: 0.2, delayMaxMs: 100 };
      network.run(60_000);
      for (const machine of network.machines) expect(since(machine, 11_000)).not.toContain('left');
    }
  });

  it('take nobody for dead because they themselves stood still, and tell when it was they', () => {
    const network = startAll(7, 5);
    network.run(10_000);
    const frozen = network.machines[4] as Machine;
    network.stall(frozen, 20_000);
    network.run(15_000);
    for (const machine of network.machines.slice(0, 4)) expect(statusAt(machine, frozen)).toBe('down');
    expect(network.runUntil(15_000, () => agree(network))).toBeDefined();
    const changes = since(frozen, 11_000);
    expect(changes).toContain('stalled');
    expect(changes).not.toContain('left');
    expect(changes).not.toContain('suspected');
    // It has to know that writes passed it by.
    expect(changes).toContain('buried');
  });

  it('keep one that stood still for a moment, and do not bury it', () => {
    const network = startAll(8, 5);
    network.run(10_000);
    network.stall(network.machines[1] as Machine, 2_000);
    network.run(20_000);
    for (const machine of network.machines) {
      expect(since(machine, 11_000)).not.toContain('left');
      expect(since(machine, 11_000)).not.toContain('buried');
    }
  });

  it('know of each one, after a cut, that the other half had buried it', () => {
    const network = startAll(9, 6);
    network.run(10_000);
    for (const machine of network.machines.slice(3)) machine.side = 1;
    network.run(30_000);
    for (const machine of network.machines) expect(machine.membership.table.there()).toHaveLength(2);
    for (const machine of network.machines) machine.side = 0;
    expect(network.runUntil(AGREE_MAX_MS, () => agree(network))).toBeDefined();
    for (const machine of network.machines) expect(since(machine, 40_000)).toContain('buried');
  });

  it('let go at once one that says that it leaves', () => {
    const network = startAll(10, 5);
    network.run(10_000);
    const leaving = network.machines[0] as Machine;
    network.handle(leaving, { kind: 'depart' });
    network.run(500);
    network.kill(leaving);
    network.run(20_000);
    for (const machine of network.living()) {
      expect(statusAt(machine, leaving)).toBe('left');
      expect(since(machine, 11_000)).not.toContain('suspected');
    }
  });

  it('say little when nothing happens: each a few messages a second, however many they are', () => {
    const rates = [5, 20].map((count) => {
      const network = startAll(11, count);
      network.run(30_000);
      const before = network.messages;
      network.run(30_000);
      return (network.messages - before) / 30 / count;
    });
    for (const rate of rates) expect(rate).toBeLessThan(4);
  });
});
