import type { Stage } from './stage.js';
import type { Shape } from './subject.js';

export interface Scenario {
  /** As COHERENCE.md and the table call it. */
  readonly id: string;
  readonly title: string;
  /** Part of the quick form: ours only, within a few seconds. */
  readonly quick: boolean;
  /** It needs a Redis Cluster, whatever the shape in which the subject usually runs. */
  readonly onCluster?: boolean;
  /** The only shapes in which it says something; all when left out. */
  readonly shapes?: readonly Shape[];
  /** Its number is told and nothing is asked of it. */
  readonly informative?: boolean;
  readonly limitMs: number;
  run(stage: Stage): Promise<void>;
}
