import type { MetricFamily } from './exposition.js';

/** What is counted of a change feed. */
export interface ChangeNumbers {
  readonly state: string;
  readonly transport: string | undefined;
  readonly changes: number;
  readonly deleted: number;
  readonly deletedPatterns: number;
  readonly positions: number;
  readonly known: number;
  readonly startedOver: number;
  readonly reconnects: number;
  readonly lagBytes: number | undefined;
  readonly lagRows: number | undefined;
  readonly lagMs: number | undefined;
}

/** Everything that a change feed tells Prometheus. What is behind is told by the node of the city that reads. */
export function changeFamilies(numbers: ChangeNumbers): readonly MetricFamily[] {
  const isReading = numbers.state === 'reading';
  const counted: readonly (readonly [name: string, help: string, value: number])[] = [
    ['changes', 'Changed rows that this node was told of.', numbers.changes],
    ['deleted_entries', 'Entries that were invalidated for them.', numbers.deleted],
    ['deleted_patterns', 'Patterns that were invalidated for them.', numbers.deletedPatterns],
    ['positions', 'Positions that the cache was given.', numbers.positions],
    ['known_positions', 'Positions that the cache had, or newer ones.', numbers.known],
    ['started_over', 'Times that all was invalidated, because nobody knew what had been changed.', numbers.startedOver],
    ['reconnects', 'Times that reading was begun again.', numbers.reconnects],
  ];
  const measured: readonly (readonly [name: string, help: string, value: number | undefined])[] = [
    ['lag_bytes', "Bytes of the database's log that are not acknowledged.", numbers.lagBytes],
    ['lag_rows', 'Rows of the outbox that are not read.', numbers.lagRows],
    ['lag_seconds', 'Age of the oldest of them.', numbers.lagMs === undefined ? undefined : numbers.lagMs / 1_000],
  ];
  return [
    {
      type: 'gauge',
      name: 'fleetflow_change_feed_reading',
      help: '1 on the node of the city that reads changes, 0 on those that stand by.',
      samples: [{ labels: { transport: numbers.transport ?? 'unknown' }, value: isReading ? 1 : 0 }],
    },
    ...counted.map(([name, help, value]): MetricFamily => {
      return { type: 'counter', name: `fleetflow_change_feed_${name}_total`, help, samples: [{ value }] };
    }),
    ...measured.flatMap(([name, help, value]): MetricFamily[] => {
      if (value === undefined || !isReading) return [];
      return [{ type: 'gauge', name: `fleetflow_change_feed_${name}`, help, samples: [{ value }] }];
    }),
  ];
}
