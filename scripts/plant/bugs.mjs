/**
 * The bugs that are planted, one at a time. `find` is the text to break, and must be there exactly once; `tests` are the
 * files of which at least one test must turn red; `only` is a part of that test's name, where the others of its file take
 * long. Those that need servers are marked.
 */
import { changeBugs } from './change-bugs.mjs';
import { coreBugs } from './core-bugs.mjs';
import { doorBugs } from './door-bugs.mjs';
import { feedBugs } from './feed-bugs.mjs';
import { fleetBugs } from './fleet-bugs.mjs';
import { keyspaceBugs } from './keyspace-bugs.mjs';
import { lentBugs } from './lent-bugs.mjs';
import { liveBugs } from './live-bugs.mjs';
import { memoryBugs } from './memory-bugs.mjs';
import { outsideBugs } from './outside-bugs.mjs';
import { peerBugs } from './peer-bugs.mjs';
import { policyBugs } from './policy-bugs.mjs';
import { redisBugs } from './redis-bugs.mjs';

export const bugs = [
  ...changeBugs,
  ...coreBugs,
  ...doorBugs,
  ...feedBugs,
  ...fleetBugs,
  ...keyspaceBugs,
  ...liveBugs,
  ...lentBugs,
  ...memoryBugs,
  ...outsideBugs,
  ...peerBugs,
  ...policyBugs,
  ...redisBugs,
];
