import { describe, expect, it } from 'vitest';
import type { Call } from './call.js';
import { HLC_ZERO } from './hlc.js';
import type { LeaseAnswer, LeaseOffice } from './lease.js';
import { officeWithStandIn } from './lease-offices.js';

/** Answers all keys alike, and remembers what it was asked. */
class FixedOffice implements LeaseOffice {
  readonly asked: string[] = [];
  readonly #answerOf: (key: string) => LeaseAnswer;

  constructor(answerOf: (key: string) => LeaseAnswer) {
    this.#answerOf = answerOf;
  }

  async acquire(keys: readonly string[]): Promise<readonly LeaseAnswer[]> {
    this.asked.push(`acquire ${keys.join()}`);
    return keys.map(this.#answerOf);
  }

  async renew(keys: readonly string[], token: string): Promise<void> {
    this.asked.push(`renew ${keys.join()} ${token}`);
  }

  async release(keys: readonly string[], token: string): Promise<void> {
    this.asked.push(`release ${keys.join()} ${token}`);
  }
}

const call: Call = { deadlineAtMs: 1_000, signal: undefined, reason: 'read' };

describe('an office with one that stands in for it', () => {
  it('asks the other one only for the keys that it cannot answer', async () => {
    const first = new FixedOffice((key) => (key === 'b' ? { kind: 'unavailable' } : { kind: 'filled' }));
    const second = new FixedOffice(() => ({ kind: 'granted' }));
    const both = officeWithStandIn(first, second);
    const answers = await both.acquire(['a', 'b', 'c'], 't', HLC_ZERO, call);
    expect(answers.map(({ kind }) => kind)).toEqual(['filled', 'granted', 'filled']);
    expect(second.asked).toEqual(['acquire b']);
    await both.acquire(['a', 'c'], 't', HLC_ZERO, call);
    expect(second.asked).toEqual(['acquire b']);
  });

  it('is unavailable when neither can be asked', async () => {
    const out = () => new FixedOffice(() => ({ kind: 'unavailable' }));
    expect(await officeWithStandIn(out(), out()).acquire(['a'], 't', HLC_ZERO, call)).toEqual([
      { kind: 'unavailable' },
    ]);
  });

  it('lets both know what is renewed and given back', async () => {
    const first = new FixedOffice(() => ({ kind: 'granted' }));
    const second = new FixedOffice(() => ({ kind: 'granted' }));
    const both = officeWithStandIn(first, second);
    await both.renew(['a'], 't', call);
    await both.release(['a'], 't', call);
    for (const { asked } of [first, second]) expect(asked).toEqual(['renew a t', 'release a t']);
  });
});
