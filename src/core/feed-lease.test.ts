import { expect, it } from 'vitest';
import { FEED_LEASE_MS, FeedLeases } from './feed-lease.js';

it('a feed lease never ends without a feed, and has not begun with one', () => {
  expect(new Set(new FeedLeases(false).untilMs)).toEqual(new Set([Number.POSITIVE_INFINITY]));
  expect(new Set(new FeedLeases(true).untilMs)).toEqual(new Set([Number.NEGATIVE_INFINITY]));
});

it('a feed lease counts from the moment that the proof was asked for, for its partition alone', () => {
  const leases = new FeedLeases(true);
  leases.renew(7, 1_000);
  expect(leases.untilMs[7]).toBe(1_000 + FEED_LEASE_MS);
  expect(leases.untilMs[8]).toBe(Number.NEGATIVE_INFINITY);
});

it('a feed lease is not shortened by a proof that was asked for earlier and came later', () => {
  const leases = new FeedLeases(true);
  leases.renew(7, 2_000);
  leases.renew(7, 1_000);
  expect(leases.untilMs[7]).toBe(2_000 + FEED_LEASE_MS);
});
