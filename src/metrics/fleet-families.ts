import type { MetricFamily, Sample } from './exposition.js';

/** What is counted of a fleet; see `FleetStats`. */
export interface FleetNumbers {
  readonly newest: number;
  readonly history: number;
  readonly duplicates: number;
  readonly ghosts: number;
  readonly jumps: number;
  readonly rejected: number;
  readonly refreshed: number;
  readonly refreshesSpared: number;
  readonly refreshErrors: number;
  readonly warmUpDone: number;
  readonly warmUpTotal: number;
  readonly warmUpFailed: number;
  readonly warmedUp: number;
  readonly morningWarmUps: number;
}

/** What a fleet tells Prometheus. */
export function fleetFamilies(numbers: FleetNumbers): readonly MetricFamily[] {
  const { newest, history, duplicates, ghosts, jumps, rejected } = numbers;
  return [
    counter(
      'fleetflow_fleet_reports_total',
      'Positions that were taken in, by what became of them.',
      labelled('outcome', { newest, history, duplicates, ghosts, jumps, rejected }),
    ),
    counter(
      'fleetflow_fleet_refreshes_total',
      'Entries about to expire: loaded anew, spared because another node was first, or attempts that failed.',
      labelled('outcome', {
        loaded: numbers.refreshed,
        spared: numbers.refreshesSpared,
        failed: numbers.refreshErrors,
      }),
    ),
    {
      type: 'gauge',
      name: 'fleetflow_fleet_warm_up_vehicles',
      help: 'Vehicles of the warm-up under way, or else of the last one: done with, failed of those, and all.',
      samples: labelled('state', {
        done: numbers.warmUpDone,
        failed: numbers.warmUpFailed,
        all: numbers.warmUpTotal,
      }),
    },
    counter('fleetflow_fleet_warmed_up_total', 'Values that warm-ups have loaded; the rest was in the cache.', [
      { value: numbers.warmedUp },
    ]),
    counter('fleetflow_fleet_morning_warm_ups_total', 'Mornings that this node warmed up for its city.', [
      { value: numbers.morningWarmUps },
    ]),
  ];
}

function counter(name: string, help: string, samples: readonly Sample[]): MetricFamily {
  return { type: 'counter', name, help, samples };
}

function labelled(label: string, values: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(values).map(([name, value]) => ({ labels: { [label]: name }, value }));
}
