/**
 * Making built-in objects unchangeable. `Object.freeze` leaves alone what a Date, a Map or a Set holds inside, so
 * their mutators are shadowed by own properties that throw. Those are not enumerable: the object stays equal to an
 * ordinary one by `util.isDeepStrictEqual`, and copies made with its constructor are ordinary again.
 */

const DATE_MUTATORS = Object.getOwnPropertyNames(Date.prototype).filter((name) => name.startsWith('set'));
const MAP_MUTATORS = mutatorsOf(Map.prototype, ['set', 'delete', 'clear', 'getOrInsert', 'getOrInsertComputed']);
const SET_MUTATORS = mutatorsOf(Set.prototype, ['add', 'delete', 'clear']);
const REGEXP_MUTATORS = ['compile'];

const REFUSE_DATE = refusal('Date', 'new Date(it)');
const REFUSE_MAP = refusal('Map', 'new Map(it)');
const REFUSE_SET = refusal('Set', 'new Set(it)');
const REFUSE_REGEXP = refusal('RegExp', 'new RegExp(it)');

export function freezeMap(map: Map<unknown, unknown>): ReadonlyMap<unknown, unknown> {
  return shadow(map, MAP_MUTATORS, REFUSE_MAP);
}

export function freezeSet(set: Set<unknown>): ReadonlySet<unknown> {
  return shadow(set, SET_MUTATORS, REFUSE_SET);
}

/** Only for one that is neither global nor sticky: matching with those moves `lastIndex`. */
export function freezeRegExp(regexp: RegExp): RegExp {
  return shadow(regexp, REGEXP_MUTATORS, REFUSE_REGEXP);
}

/** A power of two. Times of a fleet lie in a window of an hour and come in whole seconds. */
const DATES_KEPT = 4_096;

/**
 * Unchangeable dates. Shadowing the sixteen mutators of a Date costs three times what decoding a whole vehicle location
 * does; but what cannot change can be shared, and many entries carry the same instant. So the last ones are kept, one
 * per place of a small table.
 */
export class FrozenDates {
  readonly #kept: (Date | undefined)[] = new Array(DATES_KEPT).fill(undefined);

  /** The kept one of this instant, else `date` itself, guarded from now on. */
  of(date: Date): Date {
    const ms = date.getTime();
    return this.#at(ms) ?? this.#keep(date, ms);
  }

  /**
   * The same for a date of somebody else's, which stays as it is.
   * @throws TypeError when it is no Date
   */
  copyOf(date: Date): Date {
    const ms = Date.prototype.getTime.call(date);
    return this.#at(ms) ?? this.#keep(new Date(ms), ms);
  }

  /** The one of this instant, if it is among the last. */
  kept(date: Date): Date | undefined {
    return this.#at(date.getTime());
  }

  #at(ms: number): Date | undefined {
    const kept = this.#kept[placeOf(ms)];
    return kept !== undefined && kept.getTime() === ms ? kept : undefined;
  }

  #keep(date: Date, ms: number): Date {
    const frozen = shadow(date, DATE_MUTATORS, REFUSE_DATE);
    this.#kept[placeOf(ms)] = frozen;
    return frozen;
  }
}

/** Whole seconds, one after the other, take places one after the other. */
function placeOf(ms: number): number {
  const seconds = Math.floor(ms / 1_000);
  return (seconds + Math.imul(ms - seconds * 1_000, 0x9e3779b1)) & (DATES_KEPT - 1);
}

function shadow<T extends object>(target: T, mutators: readonly string[], refuse: PropertyDescriptor): T {
  for (const name of mutators) Object.defineProperty(target, name, refuse);
  return Object.freeze(target);
}

function refusal(type: string, copy: string): PropertyDescriptor {
  return {
    value: () => {
      throw new TypeError(
        `this ${type} is shared with every reader of the cache and cannot be changed: copy it first, with ${copy}`,
      );
    },
    enumerable: false,
    writable: false,
    configurable: false,
  };
}

/** Those that this version of the language has. */
function mutatorsOf(prototype: object, names: readonly string[]): readonly string[] {
  return names.filter((name) => name in prototype);
}
