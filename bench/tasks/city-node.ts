/** One of several nodes that answer the fleet's questions. */
import { makeQuestions, valueFor } from '../data/read-mix.js';
import { closedLoop, type OpenLoopResult, openLoop } from '../harness/load.js';
import { type CitySettings, type CitySubjectName, citySubjects } from '../subjects/city.js';

export interface CityNodeOptions extends CitySettings {
  readonly subject: CitySubjectName;
  readonly vehicles: number;
  /** Different questions, a power of two. */
  readonly questionCount: number;
  /** Its own: no two nodes are asked the same in the same order. */
  readonly seed: number;
}

const FILL_AT_ONCE = 100;
/** Positions that come in meanwhile, at each node. */
const WRITES_PER_SECOND = 200;

export async function open(options: CityNodeOptions) {
  const { subject, vehicles, questionCount, seed } = options;
  const node = await citySubjects[subject](options);
  const { keys, locationKeys, questions } = makeQuestions(vehicles, questionCount, seed);
  const keysPerQuestion = questions.reduce((sum, asked) => sum + asked.length, 0) / questionCount;
  let written = 0;
  let late = 0;
  let whyLate: string | undefined;
  let keysAsked = 0;
  let failed = 0;

  const ask = async (n: number): Promise<void> => {
    const asked = questions[n & (questionCount - 1)] as readonly string[];
    const [first = ''] = asked;
    keysAsked += asked.length;
    if (asked.length === 1) {
      if ((await node.get(first))?.vehicleId !== first) failed += 1;
      return;
    }
    const found = await node.getMany(asked);
    for (const key of asked) if (found.get(key)?.vehicleId !== key) failed += 1;
  };
  const put = async (key: string, n: number): Promise<void> => {
    const why = await node.set(key, valueFor(key, n));
    written += 1;
    if (why === undefined) return;
    late += 1;
    whyLate = why;
  };
  let told = 0;
  const tell = (): Promise<void> => {
    told += 1;
    return put(locationKeys[(told * 7_919 + seed) % locationKeys.length] as string, told);
  };
  const whileWriting = async <T>(ms: number, work: () => Promise<T>): Promise<T> => {
    const [done] = await Promise.all([work(), openLoop(WRITES_PER_SECOND, ms, tell)]);
    return done;
  };

  return {
    address: () => node.address,
    whenJoined: (nodes: number) => node.whenJoined(nodes),
    /** Puts everything that can be asked for there. */
    async fill(): Promise<void> {
      for (let first = 0; first < keys.length; first += FILL_AT_ONCE) {
        const batch = keys.slice(first, first + FILL_AT_ONCE);
        await Promise.all(batch.map((key, i) => put(key, first + i)));
      }
    },
    /** Keys per second, with so many questions under way, while positions come in. */
    async runReads(inFlight: number, ms: number): Promise<number> {
      const before = keysAsked;
      const startedMs = performance.now();
      await whileWriting(ms, () => closedLoop(inFlight, ms, ask));
      return ((keysAsked - before) * 1_000) / (performance.now() - startedMs);
    },
    /** Questions by the clock, so many that they are for that many keys per second, while positions come in. */
    runOpenReads: (keysPerSecond: number, ms: number): Promise<OpenLoopResult> =>
      whileWriting(ms, () => openLoop(keysPerSecond / keysPerQuestion, ms, ask)),
    /** Keys that were asked for and not there, though they had been put there. */
    failed: () => failed,
    asked: () => keysAsked,
    /** Writes, and those of them that Redis did not take at once, with the last reason. */
    writes: () => ({ written, late, whyLate }),
    levels: () => node.levels(),
    close: () => node.close(),
  };
}
