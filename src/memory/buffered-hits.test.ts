import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BufferedHits } from './buffered-hits.js';
import type { EvictionPolicy } from './eviction.js';

/** Writes down what it is told and asked. */
class Notes implements EvictionPolicy {
  readonly lines: string[] = [];

  admits(keyHash: number, weight: number): boolean {
    this.lines.push(`admits ${keyHash} ${weight}`);
    return keyHash % 2 === 0;
  }

  onInsert(slot: number, keyHash: number, weight: number): void {
    this.lines.push(`insert ${slot} ${keyHash} ${weight}`);
  }

  onHit(slot: number): void {
    this.lines.push(`hit ${slot}`);
  }

  onResize(slot: number, weight: number): void {
    this.lines.push(`resize ${slot} ${weight}`);
  }

  onRemove(slot: number): void {
    this.lines.push(`remove ${slot}`);
  }

  victim(): number {
    return this.lines.push('victim');
  }

  clear(): void {
    this.lines.push('clear');
  }
}

type Step = (policy: EvictionPolicy) => unknown;

const number = fc.nat(1_000);
const other: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(number, number).map(
    ([hash, weight]): Step =>
      (policy) =>
        policy.admits(hash, weight),
  ),
  fc.tuple(number, number, number).map(
    ([slot, hash, weight]): Step =>
      (policy) =>
        policy.onInsert(slot, hash, weight),
  ),
  fc.tuple(number, number).map(
    ([slot, weight]): Step =>
      (policy) =>
        policy.onResize(slot, weight),
  ),
  number.map(
    (slot): Step =>
      (policy) =>
        policy.onRemove(slot),
  ),
  fc.constant<Step>((policy) => policy.victim()),
);
const hits = fc.array(number, { maxLength: 200 }).map((slots): Step => {
  return (policy) => {
    for (const slot of slots) policy.onHit(slot);
  };
});

describe('BufferedHits', () => {
  it('lets the policy hear and answer the same, in the same order', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(hits, other), { maxLength: 40 }), (steps) => {
        const [told, notes] = [new Notes(), new Notes()];
        const buffered = new BufferedHits(notes);
        for (const step of steps) expect(step(buffered)).toEqual(step(told));
        buffered.victim();
        expect(notes.lines.slice(0, -1)).toEqual(told.lines);
      }),
    );
  });

  it('forgets the hits of entries that are all gone', () => {
    const notes = new Notes();
    const buffered = new BufferedHits(notes);
    buffered.onHit(1);
    buffered.clear();
    buffered.victim();
    expect(notes.lines).toEqual(['clear', 'victim']);
  });

  it('does not wait for anything else when hits are all there is', () => {
    const notes = new Notes();
    const buffered = new BufferedHits(notes);
    for (let i = 0; i < 1_000; i++) buffered.onHit(i);
    expect(notes.lines.length).toBeGreaterThan(900);
  });
});
