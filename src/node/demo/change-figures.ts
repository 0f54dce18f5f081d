import type { ChangeFollowingStats } from '../change-feed.js';

/** What the change feeds of all nodes have done, as if they were one: one of them reads, the others stand by. */
export interface ChangeFigures extends ChangeFollowingStats {
  /** The node that reads; undefined while none does. */
  readonly reader: string | undefined;
}

export interface NodeChanges {
  readonly name: string;
  readonly changes: ChangeFollowingStats;
}

/** @returns undefined when there are no nodes */
export function addChanges(nodes: readonly NodeChanges[]): ChangeFigures | undefined {
  const reading = nodes.find(({ changes }) => changes.state === 'reading');
  const shown = reading ?? nodes.find(({ changes }) => changes.lastError !== undefined) ?? nodes[0];
  if (shown === undefined) return undefined;
  const sum = (of: (changes: ChangeFollowingStats) => number) =>
    nodes.reduce((total, { changes }) => total + of(changes), 0);
  return {
    ...shown.changes,
    reader: reading?.name,
    changes: sum(({ changes }) => changes),
    deleted: sum(({ deleted }) => deleted),
    deletedPatterns: sum(({ deletedPatterns }) => deletedPatterns),
    positions: sum(({ positions }) => positions),
    known: sum(({ known }) => known),
    startedOver: sum(({ startedOver }) => startedOver),
    reconnects: sum(({ reconnects }) => reconnects),
  };
}
