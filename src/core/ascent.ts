import type { Call } from './call.js';
import { freshness } from './entry.js';
import { toError } from './errors.js';
import { type Answer, Climb, finish, type Held, isOutdated, isWanted, judge, type LadderParts } from './ladder.js';
import type { Level, Outcome } from './outcome.js';
import type { HeldCopies, HeldCopy, OutcomeTaker, Rung, Serves } from './tier.js';

/** What reads of the levels are counted as; put together for each read they would have to be hashed for each. */
const READ_OF: Readonly<Record<Level, string>> = {
  local: 'get:local',
  distributed: 'get:distributed',
  peer: 'get:peer',
  sister: 'get:sister',
  source: 'get:source',
};

/**
 * Asks the rungs in order, each for the keys that are still open; the source, if there is one, is the last rung. What their
 * outcomes mean is judged in `ladder.ts`, key by key, however many are asked for and however they come.
 */
export function climb(
  keys: readonly string[],
  rungs: readonly Rung[],
  held: (key: string) => Held | undefined,
  call: Call,
  parts: LadderParts,
  end: ClimbEnd,
): void {
  let climbs: readonly Climb[];
  try {
    climbs = keys.map((key) => new Climb(key, held(key)));
  } catch (thrown) {
    end(toError(thrown));
    return;
  }
  new Ascent(climbs, rungs, call, parts, end).askNext();
}

/** Told once, with the answers in the order of the keys, or with what a rung or a judgement threw, which none should. */
export type ClimbEnd = (answers: readonly Answer[] | Error) => void;

const NOBODY: readonly Climb[] = Object.freeze([]);

/** A climb under way: which rung is being asked, for which keys, and how many of these it has not answered. */
class Ascent implements OutcomeTaker {
  readonly #climbs: readonly Climb[];
  readonly #rungs: readonly Rung[];
  readonly #call: Call;
  readonly #parts: LadderParts;
  #end: ClimbEnd;
  #asked = 0;
  #open: readonly Climb[] = NOBODY;
  #unanswered = 0;
  #startedMs = 0;

  constructor(climbs: readonly Climb[], rungs: readonly Rung[], call: Call, parts: LadderParts, end: ClimbEnd) {
    this.#climbs = climbs;
    this.#rungs = rungs;
    this.#call = call;
    this.#parts = parts;
    this.#end = end;
  }

  askNext(): void {
    try {
      while (this.#asked < this.#rungs.length) {
        const rung = this.#rungs[this.#asked++] as Rung;
        const open = this.#wanted(rung);
        if (open.length === 0) continue;
        this.#ask(rung, open);
        return;
      }
      for (const one of this.#climbs) finish(one, this.#parts);
    } catch (thrown) {
      this.#stop(thrown);
      return;
    }
    this.#end(this.#climbs);
  }

  take(outcome: Outcome, at: number): void {
    const parts = this.#parts;
    const one = this.#open[at];
    const rung = one?.asked;
    // Told twice, or too late.
    if (one === undefined || rung === undefined) return;
    one.asked = undefined;
    try {
      const missedBefore = one.missed;
      one.askedAtMs = this.#startedMs;
      judge(one, rung, outcome, parts);
      if (one.missed !== missedBefore) parts.recorder.missedAt(rung.level);
      this.#unanswered -= 1;
      if (this.#unanswered > 0) return;
      parts.recorder.duration(READ_OF[rung.level], parts.monotonicMs() - this.#startedMs);
    } catch (thrown) {
      this.#stop(thrown);
      return;
    }
    this.askNext();
  }

  #wanted(rung: Rung): readonly Climb[] {
    const isOpen = (one: Climb): boolean => !one.settled && isWanted(one, rung, this.#parts);
    const [first] = this.#climbs;
    // Most are of one key, and another array for it is another object to collect.
    if (this.#climbs.length === 1 && first !== undefined) return isOpen(first) ? this.#climbs : NOBODY;
    return this.#climbs.filter(isOpen);
  }

  #ask(rung: Rung, open: readonly Climb[]): void {
    const parts = this.#parts;
    const keys = open.map((one) => {
      one.asked = rung;
      return one.key;
    });
    const held = doubtedOf(open, parts);
    this.#open = open;
    this.#unanswered = open.length;
    this.#startedMs = parts.monotonicMs();
    if (rung.ask !== undefined) {
      rung.ask(keys, this.#call, held, this);
      return;
    }
    rung.read(keys, this.#call, servesAny(open, parts), held).then(
      (outcomes) => {
        for (let at = 0; at < open.length; at++) this.take(outcomes[at] as Outcome, at);
      },
      (thrown: unknown) => this.#stop(thrown),
    );
  }

  #stop(thrown: unknown): void {
    const end = this.#end;
    this.#end = () => {};
    end(toError(thrown));
  }
}

function servesAny(open: readonly Climb[], parts: LadderParts): Serves {
  let byKey: Map<string, Climb> | undefined;
  return (key, entry) => {
    byKey ??= new Map(open.map((one) => [one.key, one]));
    const one = byKey.get(key);
    if (one === undefined || entry.kind === 'tombstone' || isOutdated(one, entry)) return false;
    return freshness(entry, parts.wallMs()) === 'fresh' && parts.floors.passes(key, entry);
  };
}

/** The copies to confirm: fresh values, since of anything else there is little to send. */
function doubtedOf(open: readonly Climb[], parts: LadderParts): HeldCopies | undefined {
  let copies: Map<string, HeldCopy> | undefined;
  for (const { key, held } of open) {
    if (held?.doubted !== true || held.sizeBytes === undefined || held.entry.kind !== 'value') continue;
    if (parts.wallMs() >= held.entry.freshUntilMs) continue;
    copies ??= new Map();
    copies.set(key, { entry: held.entry, sizeBytes: held.sizeBytes });
  }
  return copies && ((key) => copies.get(key));
}
