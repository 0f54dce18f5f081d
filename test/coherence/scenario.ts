import type { Stage } from './stage.js';
import type { Shape } from './subject.js';

export interface Scenario {
  /** As COHERENCE.md and the table call it. */
  readonly id: string;
  readonly title: string;
  /** The shapes in which it is part of the quick form; in none when left out. */
  readonly quick?: readonly Shape[];
  /** The shapes without a Redis that answers in which it has a meaning; in none when left out. */
  readonly withoutRedis?: readonly Shape[];
  /** It needs a Redis Cluster, whatever the shape in which the subject usually runs. */
  readonly onCluster?: boolean;
  /** Its number is told and nothing is asked of it. */
  readonly informative?: boolean;
  readonly limitMs: number;
  run(stage: Stage): Promise<void>;
}
