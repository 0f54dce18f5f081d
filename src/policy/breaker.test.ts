import { describe, expect, it } from 'vitest';
import {
  admit,
  afterFailure,
  afterNothing,
  afterSilence,
  afterSuccess,
  BREAKER_CLOSED,
  type BreakerState,
} from './breaker.js';

const profile = { failures: 3, openMs: 500, openMaxMs: 2_000 };
const closed = (failures: number): BreakerState => ({ kind: 'closed', failures });
const open = (untilMs: number, openMs: number): BreakerState => ({ kind: 'open', untilMs, openMs });
const halfOpen = (openMs: number): BreakerState => ({ kind: 'half-open', openMs });

describe('a breaker', () => {
  it.each<[string, BreakerState, boolean, BreakerState]>([
    ['closed passes', closed(2), true, closed(2)],
    ['open turns away', open(1_001, 500), false, open(1_001, 500)],
    ['open passes one when the time is over', open(1_000, 500), true, halfOpen(500)],
    ['half-open turns away', halfOpen(500), false, halfOpen(500)],
  ])('%s', (_, state, pass, then) => {
    expect(admit(state, 1_000)).toEqual({ pass, state: then });
  });

  it.each<[string, BreakerState, BreakerState]>([
    ['closed counts', closed(1), closed(2)],
    ['closed opens at the limit', closed(2), open(1_500, 500)],
    ['open stays as it is', open(1_200, 1_000), open(1_200, 1_000)],
    ['half-open opens for twice as long', halfOpen(500), open(2_000, 1_000)],
    ['half-open opens for no longer than the longest', halfOpen(1_500), open(3_000, 2_000)],
  ])('after a failure, %s', (_, state, then) => {
    expect(afterFailure(state, 1_000, profile)).toEqual(then);
  });

  it.each<[string, BreakerState, BreakerState]>([
    ['closed opens', closed(0), open(1_500, 500)],
    ['open stays as it is', open(1_200, 1_000), open(1_200, 1_000)],
    ['half-open opens for twice as long', halfOpen(500), open(2_000, 1_000)],
    ['half-open opens for no longer than the longest', halfOpen(1_500), open(3_000, 2_000)],
  ])('after a silence, %s', (_, state, then) => {
    expect(afterSilence(state, 1_000, profile)).toEqual(then);
  });

  it('after a success is closed, with nothing counted', () => {
    expect(afterSuccess()).toEqual(BREAKER_CLOSED);
    expect(BREAKER_CLOSED).toEqual(closed(0));
  });

  it.each<[BreakerState, BreakerState]>([
    [closed(2), closed(2)],
    [open(1_200, 500), open(1_200, 500)],
    [halfOpen(500), open(1_000, 500)],
  ])('after a call that told nothing, %j becomes %j', (state, then) => {
    expect(afterNothing(state, 1_000)).toEqual(then);
  });
});
