/** How much of itself a scenario is to play. */
export interface Effort {
  /** As little as still shows what it is about. */
  readonly isQuick: boolean;
  /** How many writes a burst has, or are lost with a primary; left out, as many as the scenario names. */
  readonly writes: number | undefined;
}
