import type { Stage } from './stage.js';
import type { Shape } from './subject.js';

/** How much of itself a scenario is to play. */
export interface Effort {
  /** As little as still shows what it is about. */
  readonly isQuick: boolean;
  /** How many writes a burst has, or are lost with a primary; left out, as many as the scenario names. */
  readonly writes: number | undefined;
}

export interface Scenario {
  /** As COHERENCE.md and the table call it. */
  readonly id: string;
  readonly title: string;
  /** The shapes in which it is part of the quick form; in none when left out. */
  readonly quick?: readonly Shape[];
  /** It needs a Redis Cluster, whatever the shape in which the subject usually runs. */
  readonly onCluster?: boolean;
  /** Its number is told and nothing is asked of it. */
  readonly informative?: boolean;
  readonly limitMs: number;
  run(stage: Stage): Promise<void>;
}
