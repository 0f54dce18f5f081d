import type { LevelState } from '../../core/cache.js';
import type { Level } from '../../core/outcome.js';
import type { LevelHealth } from '../level-watch.js';

/** What one node says of a level. */
type LevelView = Pick<LevelHealth, 'level' | 'state' | 'out'>;

interface Seen {
  readonly state: LevelState;
  readonly sinceMs: number;
  readonly out: readonly string[];
}

const NAMES: Readonly<Record<Level, string>> = {
  local: 'L1 local',
  distributed: 'L2 distributed',
  peer: 'L3 peer',
  sister: 'sister city',
  source: 'source',
};

/** What several nodes say about the levels they share, made one, and since when it has been so. */
export class LevelHistory {
  readonly #log: (text: string) => void;
  readonly #healths = new Map<string, readonly LevelView[]>();
  readonly #seen = new Map<Level, Seen>();

  constructor(log: (text: string) => void) {
    this.#log = log;
  }

  take(node: string, levels: readonly LevelView[], nowMs: number): void {
    this.#healths.set(node, levels);
    this.#look(nowMs);
  }

  /** The node no longer has a say. */
  forget(node: string, nowMs: number): void {
    this.#healths.delete(node);
    this.#look(nowMs);
  }

  states(): Readonly<Partial<Record<Level, { readonly state: LevelState; readonly sinceMs: number }>>> {
    return Object.fromEntries([...this.#seen].map(([level, { state, sinceMs }]) => [level, { state, sinceMs }]));
  }

  outOf(level: Level): readonly string[] {
    return this.#seen.get(level)?.out ?? [];
  }

  #look(nowMs: number): void {
    const views = [...this.#healths.values()].flat();
    for (const level of new Set(views.map((view) => view.level))) {
      const ofLevel = views.filter((view) => view.level === level);
      const out = [...new Set(ofLevel.flatMap((view) => view.out))].sort();
      this.#change(level, combined(ofLevel.map(({ state }) => state)), out, nowMs);
    }
  }

  #change(level: Level, state: LevelState, out: readonly string[], nowMs: number): void {
    const before = this.#seen.get(level);
    const isSame = before?.state === state;
    this.#seen.set(level, { state, sinceMs: isSame ? before.sinceMs : nowMs, out });
    if (isSame || (before === undefined && state === 'ok')) return;
    if (state === 'ok') {
      const seconds = ((nowMs - (before?.sinceMs ?? nowMs)) / 1_000).toFixed(1);
      this.#log(`${NAMES[level]} is back after ${seconds} s`);
    } else {
      this.#log(`${NAMES[level]} is ${state}${out.length === 0 ? '' : `: no answer from ${out.join(', ')}`}`);
    }
  }
}

/** Out where no node reaches it; what only some do not reach, or only in part, is degraded. */
function combined(states: readonly LevelState[]): LevelState {
  if (states.every((state) => state === 'ok')) return 'ok';
  return states.every((state) => state === 'out') ? 'out' : 'degraded';
}
