import type { Chance } from '../../src/core/chance.js';
import type { GossipReply, GossipRequest } from '../../src/peer/gossip.js';
import { Membership } from '../../src/peer/membership.js';
import type { MembershipChange, MembershipEvent, Send } from '../../src/peer/membership-events.js';
import type { MembershipProfile } from '../../src/peer/membership-profile.js';

/** Chances out of a seed (mulberry32), so that a run can be repeated. */
export function seededChance(seed: number): Chance {
  let state = seed >>> 0;
  return {
    next() {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    },
  };
}

/** A machine with one node on it. */
export interface Machine {
  readonly address: string;
  readonly changes: { readonly atMs: number; readonly change: MembershipChange }[];
  membership: Membership;
  alive: boolean;
  stalledUntilMs: number;
  /** Who shares a number reaches each other. */
  side: number;
  wake: object | undefined;
}

export interface Weather {
  /** Of a request and of an answer, each. */
  readonly loss: number;
  readonly duplication: number;
  readonly delayMaxMs: number;
}

export const CALM: Weather = { loss: 0, duplication: 0, delayMaxMs: 5 };

/**
 * Machines and what is between them, on a clock of their own. Messages are lost, late, doubled and cut off; machines
 * die, stand still and start again. Everything follows from the seed.
 */
export class MemberNetwork {
  readonly machines: Machine[] = [];
  weather: Weather = CALM;
  nowMs = 1_000;
  messages = 0;
  readonly #chance: Chance;
  readonly #profile: MembershipProfile;
  readonly #queue: { readonly atMs: number; readonly order: number; readonly run: () => void }[] = [];
  #order = 0;
  #lives = 0;

  constructor(seed: number, profile: MembershipProfile) {
    this.#chance = seededChance(seed);
    this.#profile = profile;
  }

  start(seeds: readonly string[]): Machine {
    const address = `10.0.0.${this.machines.length + 1}:7946`;
    const machine: Machine = {
      address,
      changes: [],
      membership: this.#live(address, seeds),
      alive: true,
      stalledUntilMs: 0,
      side: 0,
      wake: undefined,
    };
    this.machines.push(machine);
    this.handle(machine, { kind: 'start' });
    return machine;
  }

  kill(machine: Machine): void {
    machine.alive = false;
  }

  restart(machine: Machine, seeds: readonly string[]): void {
    machine.membership = this.#live(machine.address, seeds);
    machine.alive = true;
    machine.stalledUntilMs = 0;
    this.handle(machine, { kind: 'start' });
  }

  stall(machine: Machine, forMs: number): void {
    machine.stalledUntilMs = Math.max(machine.stalledUntilMs, this.nowMs + forMs);
  }

  living(): Machine[] {
    return this.machines.filter(({ alive }) => alive);
  }

  run(forMs: number): void {
    const untilMs = this.nowMs + forMs;
    for (;;) {
      const next = this.#queue[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.#queue.shift();
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.run();
    }
    this.nowMs = untilMs;
  }

  /** How long it takes until `holds`, in ms; undefined when it is not within the bound. */
  runUntil(boundMs: number, holds: () => boolean): number | undefined {
    const startMs = this.nowMs;
    while (this.nowMs - startMs < boundMs) {
      if (holds()) return this.nowMs - startMs;
      this.run(50);
    }
    return holds() ? boundMs : undefined;
  }

  handle(machine: Machine, event: MembershipEvent): void {
    this.#on(machine, machine.membership, () => machine.membership.handle(event, this.nowMs));
  }

  #live(address: string, seeds: readonly string[]): Membership {
    this.#lives += 1;
    return new Membership({
      self: { id: this.#lives.toString(16).padStart(12, '0'), address, weight: 1 },
      incarnation: Math.floor(this.nowMs),
      seeds,
      profile: this.#profile,
      chance: this.#chance,
      nowMs: this.nowMs,
    });
  }

  /** Lets a machine do something when it runs, unless it has another life by then. */
  #on(machine: Machine, life: Membership, work: () => readonly Send[]): void {
    if (!machine.alive || machine.membership !== life) return;
    if (machine.stalledUntilMs > this.nowMs) {
      this.#at(machine.stalledUntilMs, () => this.#on(machine, life, work));
      return;
    }
    const sends = work();
    for (const change of life.takeChanges()) machine.changes.push({ atMs: this.nowMs, change });
    for (const send of sends) this.#deliver(machine, life, send);
    const wake = {};
    machine.wake = wake;
    this.#at(Math.max(life.wakeAtMs, this.nowMs), () => {
      if (machine.wake === wake) this.#on(machine, life, () => life.handle({ kind: 'tick' }, this.nowMs));
    });
  }

  #deliver(machine: Machine, life: Membership, { ref, to, request, timeoutMs }: Send): void {
    this.#ask(machine, to, request, timeoutMs, (reply) => {
      this.#on(machine, life, () =>
        life.handle(reply === undefined ? { kind: 'failed', ref } : { kind: 'replied', ref, reply }, this.nowMs),
      );
    });
  }

  /** A question and its answer over the network; without an answer when the time is up. */
  #ask(
    asker: Machine,
    to: string,
    request: GossipRequest,
    timeoutMs: number,
    done: (reply: GossipReply | undefined) => void,
  ): void {
    this.messages += 1;
    const sentAtMs = this.nowMs;
    let open = true;
    const finish = (reply: GossipReply | undefined) => {
      if (open) done(reply);
      open = false;
    };
    this.#at(sentAtMs + timeoutMs, () => finish(undefined));
    const target = this.machines.find(({ address }) => address === to);
    const said = request;
    const copies = this.#chance.next() < this.weather.duplication ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.#isLost()) continue;
      this.#at(sentAtMs + this.#delayMs(), () => {
        if (target === undefined || target.side !== asker.side) return;
        if (!target.alive) {
          finish(undefined);
          return;
        }
        this.#answer(target, said, (reply) => {
          if (this.#isLost() || target.side !== asker.side) return;
          this.#at(this.nowMs + this.#delayMs(), () => finish(reply));
        });
      });
    }
  }

  #answer(machine: Machine, request: GossipRequest, done: (reply: GossipReply) => void): void {
    const life = machine.membership;
    this.#on(machine, life, () => {
      const { reply, sends } = life.answer(request, this.nowMs);
      if (request.kind !== 'relay') {
        done(reply);
        return sends;
      }
      this.#ask(machine, request.target ?? '', life.ping(), this.#profile.probeMs, (tried) => {
        done(life.reply(tried === undefined ? 'nack' : 'ack'));
      });
      return sends;
    });
  }

  #isLost(): boolean {
    return this.#chance.next() < this.weather.loss;
  }

  #delayMs(): number {
    return 0.2 + this.weather.delayMaxMs * this.#chance.next() ** 3;
  }

  #at(atMs: number, run: () => void): void {
    this.#order += 1;
    const item = { atMs, order: this.#order, run };
    let low = 0;
    let high = this.#queue.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#queue[middle]?.atMs ?? 0) <= atMs) low = middle + 1;
      else high = middle;
    }
    this.#queue.splice(low, 0, item);
  }
}
