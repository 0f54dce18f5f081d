import type { Scenario } from './scenario.js';
import { bulk } from './scenarios/bulk.js';
import { clocks } from './scenarios/clocks.js';
import { costs } from './scenarios/costs.js';
import { failovers } from './scenarios/failovers.js';
import { loads } from './scenarios/loads.js';
import { outages } from './scenarios/outages.js';
import { processes } from './scenarios/processes.js';
import { races } from './scenarios/races.js';
import { returns } from './scenarios/returns.js';
import { values } from './scenarios/values.js';

const number = ({ id }: Scenario): number => Number(/\d+/.exec(id)?.[0]);

/** All of them, in the order of COHERENCE.md. */
export const scenarios: readonly Scenario[] = [
  ...races,
  ...values,
  ...costs,
  ...loads,
  ...outages,
  ...bulk,
  ...clocks,
  ...processes,
  ...failovers,
  ...returns,
].sort((a, b) => number(a) - number(b));
