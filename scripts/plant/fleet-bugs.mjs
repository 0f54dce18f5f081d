/** Bugs of the vehicles: positions, lifetimes and the calendar; caught without servers. The form is told in bugs.mjs. */
const lifetimes = 'src/fleet/lifetimes.test.ts';

export const fleetBugs = [
  {
    id: 'midnight-in-utc',
    what: 'days end at midnight in UTC',
    file: 'src/fleet/ist-calendar.ts',
    find: 'const IST_AHEAD_MS = 5.5 * HOUR_MS;',
    replace: 'const IST_AHEAD_MS = 0;',
    tests: ['src/fleet/ist-calendar.test.ts', 'src/fleet/eway-bill.test.ts', 'src/fleet/freight-hours.test.ts'],
  },
  {
    id: 'saturday-like-friday',
    what: 'goods-vehicle hours are those of Sunday to Friday all week',
    file: 'src/fleet/freight-hours.ts',
    find: '.filter(({ days }) => days.includes(weekday))',
    replace: '.filter(({ days }) => days.includes(weekday === 6 ? 5 : weekday))',
    tests: ['src/fleet/freight-hours.test.ts'],
  },
  {
    id: 'jitter-lengthens',
    what: 'jitter makes a lifetime longer than was promised',
    file: 'src/fleet/lifetimes.ts',
    find: 'lifetime.ttl * (1 - JITTER * share)',
    replace: 'lifetime.ttl * (1 + JITTER * (0.5 - share))',
    tests: [lifetimes],
  },
  {
    id: 'stale-past-the-boundary',
    what: 'what ended at a boundary is served as stale after it',
    file: 'src/fleet/lifetimes.ts',
    find: 'staleIfError: Math.min(lifetime.staleIfError, Math.max(0, restMs - lifetime.ttl)),',
    replace: '',
    tests: [lifetimes],
  },
  {
    id: 'night-into-the-morning',
    what: 'what the night adds to a lifetime lasts into the morning',
    file: 'src/fleet/lifetimes.ts',
    find: 'Math.max(ttl, Math.min(ttl * factor, restMs))',
    replace: 'Math.max(ttl, ttl * factor)',
    tests: [lifetimes],
  },
];
