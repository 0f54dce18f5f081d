import type { Section } from './section.js';
import { changes } from './sections/changes.js';
import { combined } from './sections/combined.js';
import { encoding } from './sections/encoding.js';
import { fleet } from './sections/fleet.js';
import { hitRatio } from './sections/hit-ratio.js';
import { l1 } from './sections/l1.js';
import { l2 } from './sections/l2.js';
import { l3 } from './sections/l3.js';
import { memory } from './sections/memory.js';
import { overhead } from './sections/overhead.js';
import { seeds } from './sections/seeds.js';

/** In the order in which they run: the last ones take up what the first ones measured. */
export const sections: readonly Section[] = [
  l1,
  l2,
  l3,
  combined,
  fleet,
  changes,
  hitRatio,
  memory,
  overhead,
  encoding,
  seeds,
];
