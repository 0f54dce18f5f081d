import { FLOORS_MAX, type Floor } from '../core/floors.js';
import { compareHlc } from '../core/hlc.js';

/** Floors that are remembered, at least as many as a process goes by one by one. */
const LOG_MAX = FLOORS_MAX;

/**
 * The floors that went through this node, in order, so that another one can ask for what came after what it has.
 * A mark is a place in one log: `id.position`. Nobody but the log that made it understands it.
 */
export class FloorLog {
  readonly #id: string;
  #floors: Floor[] = [];
  /** How many came before the first that is still remembered. */
  #forgotten = 0;
  /** The highest floor for each subject that is remembered. */
  readonly #highest = new Map<string, Floor>();

  /** @param id different for every log there ever is: a node that is restarted begins another one */
  constructor(id: string) {
    this.#id = id;
  }

  /** The place after the last floor. */
  get mark(): string {
    return `${this.#id}.${this.#forgotten + this.#floors.length}`;
  }

  /**
   * Adds a floor, unless one as high for the same subject is remembered: what comes from two sides is logged once.
   * One that was forgotten meanwhile is logged again, which does no harm.
   * @returns whether it was added
   */
  add(floor: Floor): boolean {
    const subject = subjectOf(floor);
    const known = this.#highest.get(subject);
    if (known !== undefined && compareHlc(floor.hlc, known.hlc) <= 0) return false;
    this.#highest.set(subject, floor);
    this.#floors.push(floor);
    if (this.#floors.length === 2 * LOG_MAX) this.#forgetHalf();
    return true;
  }

  /** What came after `mark`; undefined when that is not known here (any more). */
  after(mark: string): readonly Floor[] | undefined {
    const [id, position] = mark.split('.');
    const at = Number(position) - this.#forgotten;
    if (id !== this.#id || !(at >= 0 && at <= this.#floors.length)) return undefined;
    return this.#floors.slice(at);
  }

  /** All that is remembered, in order. */
  list(): readonly Floor[] {
    return this.#floors;
  }

  #forgetHalf(): void {
    for (const floor of this.#floors.slice(0, LOG_MAX)) {
      const subject = subjectOf(floor);
      if (this.#highest.get(subject) === floor) this.#highest.delete(subject);
    }
    this.#floors = this.#floors.slice(LOG_MAX);
    this.#forgotten += LOG_MAX;
  }
}

function subjectOf({ scope, subject }: Floor): string {
  return `${scope} ${subject}`;
}
