/** One of several nodes that answer the fleet's questions. */
import { makeQuestions, valueFor } from '../data/read-mix.js';
import { closedLoop, type OpenLoopResult, openLoop } from '../harness/load.js';
import { type CitySettings, type CitySubjectName, citySubjects } from '../subjects/city.js';

export interface CityNodeOptions extends CitySettings {
  readonly subject: CitySubjectName;
  readonly vehicles: number;
  /** Its own: no two nodes are asked the same in the same order. */
  readonly seed: number;
}

const QUESTIONS = 1 << 15;
const FILL_AT_ONCE = 100;
/** Positions that come in meanwhile, at each node. */
const WRITES_PER_SECOND = 200;

export async function open(options: CityNodeOptions) {
  const { subject, vehicles, seed } = options;
  const node = await citySubjects[subject](options);
  const { keys, locationKeys, questions } = makeQuestions(vehicles, QUESTIONS, seed);
  let written = 0;
  let keysAsked = 0;
  let failed = 0;

  const ask = async (n: number): Promise<void> => {
    const asked = questions[n & (QUESTIONS - 1)] as readonly string[];
    const [first = ''] = asked;
    keysAsked += asked.length;
    if (asked.length === 1) {
      if ((await node.get(first))?.vehicleId !== first) failed += 1;
      return;
    }
    const found = await node.getMany(asked);
    for (const key of asked) if (found.get(key)?.vehicleId !== key) failed += 1;
  };
  const write = (): Promise<void> => {
    written += 1;
    const key = locationKeys[(written * 7_919 + seed) % locationKeys.length] as string;
    return node.set(key, valueFor(key, written));
  };
  const whileWriting = async <T>(ms: number, work: () => Promise<T>): Promise<T> => {
    const writing = openLoop(WRITES_PER_SECOND, ms, write);
    const done = await work();
    await writing;
    return done;
  };

  return {
    address: () => node.address,
    whenJoined: (nodes: number) => node.whenJoined(nodes),
    /** Puts everything that can be asked for there. */
    async fill(): Promise<void> {
      for (let first = 0; first < keys.length; first += FILL_AT_ONCE) {
        const batch = keys.slice(first, first + FILL_AT_ONCE);
        await Promise.all(batch.map((key, i) => node.set(key, valueFor(key, first + i))));
      }
    },
    /** Keys per second, with so many questions under way, while positions come in. */
    async runReads(inFlight: number, ms: number): Promise<number> {
      const before = keysAsked;
      const startedMs = performance.now();
      await whileWriting(ms, () => closedLoop(inFlight, ms, ask));
      return ((keysAsked - before) * 1_000) / (performance.now() - startedMs);
    },
    /** Questions by the clock, while positions come in. */
    runOpenReads: (perSecond: number, ms: number): Promise<OpenLoopResult> =>
      whileWriting(ms, () => openLoop(perSecond, ms, ask)),
    /** Keys that were asked for and not there, though they had been put there. */
    failed: () => failed,
    asked: () => keysAsked,
    levels: () => node.levels(),
    close: () => node.close(),
  };
}
