/** Gives a part of a record, no text, number or truth value, as it is to stand in the copy. */
export type PartOf = (part: unknown, depth: number) => unknown;

/** Makes the frozen copy of a record of one shape. */
export type RecordMaker = (record: object, depth: number) => unknown;

/** Beyond it an object is a table more than a record. */
const FIELDS_MAX = 64;
/** Of all shapes together: where every object has names of its own, most are copied without a shape. */
const STEPS_MAX = 4_096;
const MAKERS_MAX = 256;
/** Making a maker costs as much as some hundred copies. */
const SEEN_BEFORE_MADE = 8;

/** What the engine keeps apart from named properties, and what is no property when a literal has it. */
const UNUSUAL = /^(?:\d+|__proto__)$/;

/** The properties up to one of a record, as a place in a tree of all that were seen. */
class Step {
  readonly keys: readonly string[];
  #key = '';
  #next: Step | undefined;
  #others: Map<string, Step> | undefined;
  seen = 0;
  maker: RecordMaker | undefined;

  constructor(keys: readonly string[]) {
    this.keys = keys;
  }

  /** The step for one more property; the one that was asked for last costs a comparison. */
  get(key: string): Step | undefined {
    return key === this.#key ? this.#next : this.#others?.get(key);
  }

  add(key: string): Step {
    const step = new Step([...this.keys, key]);
    if (this.#next === undefined) {
      this.#key = key;
      this.#next = step;
    } else {
      this.#others ??= new Map();
      this.#others.set(key, step);
    }
    return step;
  }
}

/**
 * Functions that copy records, one for all that have the same properties in the same order, which is what records of one
 * kind have. Its source names the properties, so V8 makes such a copy in one piece, with all properties in the object;
 * an object that properties are added to one by one costs three times as much to make, keeps all from the fifth on
 * elsewhere, and every read of one of those waits for memory once more.
 */
export class RecordShapes {
  readonly #partOf: PartOf;
  readonly #root = new Step([]);
  #steps = 0;
  #makers = 0;

  constructor(partOf: PartOf) {
    this.#partOf = partOf;
  }

  /** Undefined for a record that is to be copied property by property. */
  makerOf(record: object): RecordMaker | undefined {
    let step: Step | undefined = this.#root;
    let last = '';
    for (const key in record) {
      step = step.get(key) ?? this.#extend(step, key);
      if (step === undefined) return undefined;
      last = key;
    }
    // What is inherited comes after all that is the record's own.
    if (last === '' || !Object.hasOwn(record, last)) return undefined;
    return step.maker ?? this.#makeSoon(step);
  }

  #extend(step: Step, key: string): Step | undefined {
    if (this.#steps === STEPS_MAX || step.keys.length === FIELDS_MAX || UNUSUAL.test(key)) return undefined;
    this.#steps += 1;
    return step.add(key);
  }

  #makeSoon(step: Step): RecordMaker | undefined {
    step.seen += 1;
    if (step.seen <= SEEN_BEFORE_MADE || this.#makers === MAKERS_MAX) return undefined;
    this.#makers += 1;
    step.maker = makeMaker(step.keys, this.#partOf);
    return step.maker;
  }
}

/** Undefined where the process was told not to run what is made at run time. */
function makeMaker(keys: readonly string[], partOf: PartOf): RecordMaker | undefined {
  const parts = keys.map((key, i) => {
    // Said this way, V8 need not ask where it knows what the property always is.
    const isPlain = `typeof part${i} === 'string' || typeof part${i} === 'number' || typeof part${i} === 'boolean'`;
    return `let part${i} = record[${JSON.stringify(key)}]; if (!(${isPlain})) part${i} = partOf(part${i}, depth);`;
  });
  const fields = keys.map((key, i) => `${JSON.stringify(key)}: part${i}`);
  const source = `return (record, depth) => {\n${parts.join('\n')}\nreturn Object.freeze({ ${fields.join(', ')} });\n};`;
  try {
    return new Function('partOf', source)(partOf) as RecordMaker;
  } catch {
    return undefined;
  }
}
