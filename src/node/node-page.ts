import type { Clock } from '../core/clock.js';
import type { Composition } from './compose.js';
import type { PageData, PageLogLine } from './page-data.js';
import { PageFigures } from './page-figures.js';

const LOG_MAX = 50;
const TITLE = 'FleetFlow Cache node';

/** The page of one node. */
export class NodePage {
  readonly #composition: Composition;
  readonly #clock: Clock;
  readonly #figures = new PageFigures();
  readonly #log: PageLogLine[] = [];
  readonly #startedAtMs: number;
  readonly #changedAtMs = new Map<string, number>();

  constructor(composition: Composition, clock: Clock) {
    this.#composition = composition;
    this.#clock = clock;
    this.#startedAtMs = clock.wallMs();
    composition.cache.on('level-changed', ({ level, detail }) => {
      this.#changedAtMs.set(level, clock.wallMs());
      this.#log.unshift({ atMs: clock.wallMs(), text: `${level}: ${detail}` });
      if (this.#log.length > LOG_MAX) this.#log.pop();
    });
  }

  /** Asked for each second while somebody looks: the interval is the time since it was asked for last. */
  data(): PageData {
    const { cache, peerAddress } = this.#composition;
    const stats = cache.stats();
    const snapshot = this.#composition.snapshot();
    if (snapshot !== undefined) this.#figures.push(stats.nodeId, snapshot);
    const { local, peer } = stats.levels;
    const { readsPerSecond, hitRate, reads } = this.#figures.reads();
    const { levels } = this.#composition.health();
    const peers = levels.find(({ level }) => level === 'peer');
    const states = levels.map(({ level, state }) => {
      const sinceMs = this.#changedAtMs.get(level) ?? this.#startedAtMs;
      return [level, { state, sinceMs }] as const;
    });
    return {
      title: TITLE,
      city: stats.city,
      uptimeMs: this.#clock.wallMs() - this.#startedAtMs,
      nodes: [
        {
          name: stats.nodeId,
          address: peerAddress ?? '',
          ok: true,
          readsPerSecond,
          entries: (local?.entries ?? 0) + (peer?.entries ?? 0),
          sizeBytes: (local?.sizeBytes ?? 0) + (peer?.sizeBytes ?? 0),
          members: peers === undefined ? null : peers.parts - peers.out.length,
        },
      ],
      totals: {
        readsPerSecond,
        writesPerSecond: 0,
        hitRate,
        databaseQueriesPer1000Reads: null,
        reads,
        failedReads: 0,
        staleServed: stats.staleServed,
      },
      levels: this.#figures.levels({
        local: { state: 'ok', sinceMs: this.#startedAtMs },
        ...Object.fromEntries(states),
      }),
      log: this.#log,
    };
  }
}
