import type { Background } from './background.js';
import type { Call } from './call.js';
import type { Clock } from './clock.js';
import type { Entry } from './entry.js';
import type { Floors } from './floors.js';
import type { Answer } from './ladder.js';
import type { LoadRung } from './load-rung.js';
import type { LocalTier } from './local.js';
import type { Level, WriteOutcome } from './outcome.js';
import { ON_THE_WAY_MAX_MS } from './owner-lease.js';
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
  /** Nobody tells this process what others write. */
  readonly untold?: boolean;
}

/** Most writes that go on behind readers' backs at a time; beyond it a rung is left without the fill. */
const FILLS_MAX = 256;

interface Fill extends Write {
  /** It is kept here only when the tier has said what it knows. */
  readonly isAwaited: boolean;
}

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
    const { local, floors, tiers, untold = false } = this.#parts;
    let fills: Map<Tier, Fill[]> | undefined;
    flights.forEach((flight, i) => {
      const { entry, level, stale, same, hot, unsure, askedAtMs, missed, tombstone } = answers[i] as Answer;
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
      // Where nobody tells of writes, or he who would does not answer, only those who take it know whether it was written
      // or deleted meanwhile: `#fill` has their answer.
      const isAwaited = untold || unsure;
      const write: Fill = { key: flight.key, entry, mode: 'fill', isAwaited };
      const takers = tiersBefore(tiers, level).filter((tier) => missed.includes(tier) || !rungs.includes(tier));
      for (const tier of takers) {
        fills ??= new Map();
        const writes = fills.get(tier) ?? [];
        writes.push(write);
        fills.set(tier, writes);
      }
      if (!isAwaited || takers.length === 0) this.#keepHere(flight.key, entry, hot, askedAtMs);
    });
    if (fills !== undefined) for (const [tier, writes] of fills) this.#fill(tier, writes);
  }

  /** @param sinceMs when it was known for the last time that there is nothing newer */
  #keepHere(key: string, entry: Entry, hot: boolean, sinceMs: number): void {
    const { local, tally, clock, untold } = this.#parts;
    if (hot) tally.hotAnswers += 1;
    if (untold === true && clock.monotonicMs() - sinceMs > ON_THE_WAY_MAX_MS) return;
    local.put(key, entry, 'fill', undefined, hot);
  }

  #keepAwaited(fills: readonly Fill[], sentAtMs: number): void {
    for (const { key, entry, isAwaited } of fills) if (isAwaited) this.#keepHere(key, entry, false, sentAtMs);
  }

  #fill(tier: Tier, writes: readonly Fill[]): void {
    const { clock, deadlines, local, tally, untold = false } = this.#parts;
    const sentAtMs = clock.monotonicMs();
    if (this.#underWay >= FILLS_MAX) {
      tally.error(tier.level, 'fill-dropped');
      if (!untold) this.#keepAwaited(writes, sentAtMs);
      return;
    }
    const call: Call = { deadlineAtMs: sentAtMs + deadlines.writeMs, signal: undefined, reason: 'write' };
    this.#underWay += 1;
    const done = tier.write(writes, call).then((outcomes: readonly WriteOutcome[]) => {
      writes.forEach((write, i) => {
        const outcome = outcomes[i]?.kind;
        // The tier knows of something newer, or of a delete: our copy must not outlive that knowledge.
        if (outcome === 'superseded') local.drop(write.key);
        // With a feed, what it does not vouch for any more may at least stand in.
        else if (outcome === 'stored' || !untold) this.#keepAwaited([write], sentAtMs);
      });
    });
    this.#background.track(
      done.finally(() => {
        this.#underWay -= 1;
      }),
    );
  }
}

/** Those behind it have it from whoever gave it to this one. */
function tiersBefore(tiers: readonly Tier[], level: Level | undefined): readonly Tier[] {
  const at = tiers.findIndex((tier) => tier.level === level);
  return at === -1 ? tiers : tiers.slice(0, at);
}
