import type { Background } from './background.js';
import type { Call } from './call.js';
import type { Clock } from './clock.js';
import type { Entry } from './entry.js';
import type { Floors } from './floors.js';
import type { Answer } from './ladder.js';
import type { LoadRung } from './load-rung.js';
import type { LocalTier } from './local.js';
import type { WriteOutcome } from './outcome.js';
import type { Flight } from './single-flight.js';
import type { Tally } from './tally.js';
import type { Rung, Tier, Write } from './tier.js';

export interface FillsParts {
  readonly clock: Clock;
  readonly floors: Floors;
  readonly local: LocalTier;
  readonly tiers: readonly Tier[];
  readonly tally: Tally;
  readonly deadlines: { readonly writeMs: number };
}

/** Most writes that go on behind readers' backs at a time; beyond it a rung is left without the fill. */
const FILLS_MAX = 256;

/** What becomes of the answers of flights: copies in this process, and in the tiers that lacked them. */
export class Fills {
  readonly #parts: FillsParts;
  readonly #background: Background;
  #underWay = 0;

  constructor(parts: FillsParts, background: Background) {
    this.#parts = parts;
    this.#background = background;
  }

  /** Gives the answers to this process and to the tiers that missed, unless a write came by in the meantime. */
  keep(
    flights: readonly Flight<Answer>[],
    answers: readonly Answer[],
    rungs: readonly Rung[],
    source: LoadRung | undefined,
  ): void {
    const { local, floors, tiers } = this.#parts;
    let fills: Map<Tier, Write[]> | undefined;
    flights.forEach((flight, i) => {
      const { entry, level, stale, same, hot, missed, tombstone } = answers[i] as Answer;
      // A copy whose delete was not heard of may not stand in either, and what is loaded need not be newer than it.
      if (tombstone !== undefined && local.find(flight.key) !== undefined) local.put(flight.key, tombstone, 'set');
      // Of something newer than what is stale the feed has told already, or never will: a copy of this in our memory
      // would be vouched for wrongly.
      if (entry === undefined || level === 'local' || stale) return;
      if (!flight.armed || !floors.passes(flight.key, entry)) {
        if (level === 'source') source?.release([flight.key]);
        return;
      }
      if (same) {
        local.confirm(flight.key, entry);
        return;
      }
      this.#keepHere(flight.key, entry, hot);
      const write: Write = { key: flight.key, entry, mode: 'fill' };
      for (const tier of tiers) {
        // Those behind it have it from whoever gave it to this one.
        if (tier.level === level) break;
        if (!missed.includes(tier) && rungs.includes(tier)) continue;
        fills ??= new Map();
        const writes = fills.get(tier) ?? [];
        writes.push(write);
        fills.set(tier, writes);
      }
    });
    if (fills !== undefined) for (const [tier, writes] of fills) this.#fill(tier, writes);
  }

  #keepHere(key: string, entry: Entry, hot: boolean): void {
    const { local, tally } = this.#parts;
    if (hot) tally.hotAnswers += 1;
    local.put(key, entry, 'fill', undefined, hot);
  }

  #fill(tier: Tier, writes: readonly Write[]): void {
    const { clock, deadlines, local, tally } = this.#parts;
    if (this.#underWay >= FILLS_MAX) {
      tally.error(tier.level, 'fill-dropped');
      return;
    }
    const call: Call = { deadlineAtMs: clock.monotonicMs() + deadlines.writeMs, signal: undefined, reason: 'write' };
    this.#underWay += 1;
    const done = tier.write(writes, call).then((outcomes: readonly WriteOutcome[]) => {
      writes.forEach(({ key }, i) => {
        // The tier knows of something newer, or of a delete: our copy must not outlive that knowledge.
        if (outcomes[i]?.kind === 'superseded') local.drop(key);
      });
    });
    this.#background.track(
      done.finally(() => {
        this.#underWay -= 1;
      }),
    );
  }
}
