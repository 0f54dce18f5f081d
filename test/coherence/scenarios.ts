import type { Scenario } from './scenario.js';
import { loads } from './scenarios/loads.js';
import { races } from './scenarios/races.js';
import { values } from './scenarios/values.js';

const number = ({ id }: Scenario): number => Number(/\d+/.exec(id)?.[0]);

/** All of them, in the order of COHERENCE.md. */
export const scenarios: readonly Scenario[] = [...races, ...values, ...loads].sort((a, b) => number(a) - number(b));
