/** What a fleet has done since it was created. */
export interface FleetStats {
  /** Reports that were taken in, by what became of them. */
  readonly newest: number;
  readonly history: number;
  readonly duplicates: number;
  /** Without a fix: kept nowhere. */
  readonly ghosts: number;
  /** Farther from where the vehicle was than it can have driven: kept nowhere. */
  readonly jumps: number;
  readonly rejected: number;
  /** Whose device clock lied. */
  readonly clamped: number;
  /** That made routes and regions outdated. */
  readonly significantMoves: number;
  /** Questions that went to the routes API, and questions that shared the answer of another. */
  readonly routesAsked: number;
  readonly routesShared: number;
  /** The same of the geocoding API. */
  readonly placesAsked: number;
  readonly placesShared: number;
  /** Loaded anew before they expired, spared because another node was first (or it is gone), and attempts that failed. */
  readonly refreshed: number;
  readonly refreshesSpared: number;
  readonly refreshErrors: number;
  /** Of the warm-up under way, or else the last one: vehicles done with, all, and those in batches that failed. */
  readonly warmUpDone: number;
  readonly warmUpTotal: number;
  readonly warmUpFailed: number;
  /** Values that warm-ups have loaded: the rest was in the cache. */
  readonly warmedUp: number;
  /** Mornings that this node warmed up for its city. */
  readonly morningWarmUps: number;
  /** Listeners at the moment. */
  readonly subscribers: number;
  /** Positions that listeners were given, that were left out because a newer one came while they were busy, and on which they threw. */
  readonly delivered: number;
  readonly conflated: number;
  readonly listenerErrors: number;
}

/** The counters behind `FleetStats`; each is written by the one who does what it counts. */
export type FleetCounters = { -readonly [K in Exclude<keyof FleetStats, 'subscribers'>]: number };

export function zeroCounters(): FleetCounters {
  return {
    newest: 0,
    history: 0,
    duplicates: 0,
    ghosts: 0,
    jumps: 0,
    rejected: 0,
    clamped: 0,
    significantMoves: 0,
    routesAsked: 0,
    routesShared: 0,
    placesAsked: 0,
    placesShared: 0,
    refreshed: 0,
    refreshesSpared: 0,
    refreshErrors: 0,
    warmUpDone: 0,
    warmUpTotal: 0,
    warmUpFailed: 0,
    warmedUp: 0,
    morningWarmUps: 0,
    delivered: 0,
    conflated: 0,
    listenerErrors: 0,
  };
}
