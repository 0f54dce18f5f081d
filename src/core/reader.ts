import { climb } from './ascent.js';
import { Background } from './background.js';
import type { CacheEvents, LoadOptions } from './cache.js';
import { type Call, sliceCall, waitWithin } from './call.js';
import type { Clock } from './clock.js';
import type { Codec } from './codec.js';
import type { Emitter } from './emitter.js';
import { CacheError, toError } from './errors.js';
import { Fills } from './fills.js';
import type { Floors } from './floors.js';
import type { HybridClock } from './hlc.js';
import type { Answer, Held, LadderParts } from './ladder.js';
import type { LeaseOffice } from './lease.js';
import type { LifetimeDefaults } from './lifetime.js';
import { LoadFailures } from './load-failures.js';
import { type LoadGate, type LoadParts, LoadRung } from './load-rung.js';
import { filledAfter, LoadedEntries } from './loaded-entries.js';
import type { Loader } from './loader.js';
import { type LocalTier, NOT_HERE } from './local.js';
import { readNearest, writeNearest } from './nearest-tier.js';
import { NO_LOCAL } from './no-local.js';
import type { Level } from './outcome.js';
import { type Flight, SingleFlight } from './single-flight.js';
import type { Tally } from './tally.js';
import type { Rung, Tier } from './tier.js';

/** How long an operation may take when the caller does not say, in ms. */
export interface Deadlines {
  readonly readMs: number;
  readonly loadMs: number;
  readonly writeMs: number;
  /** How long a load is waited for while there is a stale copy to serve instead. */
  readonly softMs: number;
}

export interface ReaderParts {
  readonly origin: number;
  readonly clock: Clock;
  readonly hlc: HybridClock;
  readonly codec: Codec;
  readonly floors: Floors;
  readonly local: LocalTier;
  /** Nearest first. */
  readonly tiers: readonly Tier[];
  readonly gate: LoadGate;
  readonly tally: Tally;
  readonly events: Emitter<CacheEvents>;
  readonly defaults: LifetimeDefaults;
  readonly absentTtlMs: number;
  /** How long a failed load is the answer for its key, in ms. */
  readonly loadFailureMs: number;
  readonly leases: LeaseOffice;
  readonly deadlines: Deadlines;
  /** Other processes write too, and nobody tells this one: what it keeps is good for `OWNER_LEASE_MS`. */
  readonly untold?: boolean;
}

/** Between the beginning of a call and that of its flight. */
const DATED_WITHIN_MS = 1;

/** Told apart from every value: the bytes of an entry could not be decoded. */
export const UNREADABLE: unique symbol = Symbol('unreadable');

const NOTHING: Answer = Object.freeze({
  entry: undefined,
  level: undefined,
  value: undefined,
  same: false,
  hot: false,
  unsure: false,
  askedAtMs: 0,
  lentUntilMs: 0,
  stale: false,
  revalidate: false,
  tombstone: undefined,
  missed: [],
  errors: [],
});

/** Reads that this process's memory could not answer: one flight per key climbs the ladder, and its answer is kept. */
export class Reader {
  readonly flights = new SingleFlight<Answer>();
  readonly #loadParts: LoadParts;
  readonly #parts: ReaderParts;
  readonly #ladder: LadderParts;
  readonly #background = new Background();
  readonly #fills: Fills;

  constructor(parts: ReaderParts) {
    this.#parts = parts;
    this.#fills = new Fills(parts, this.#background);
    const { clock, floors, tally } = parts;
    this.#ladder = {
      floors,
      recorder: tally,
      monotonicMs: () => clock.monotonicMs(),
      wallMs: () => clock.wallMs(),
      follow: (fence) => parts.hlc.follow(fence),
    };
    this.#loadParts = {
      ...parts,
      failures: new LoadFailures(parts.loadFailureMs),
      reread: (keys, call) => readNearest(parts.tiers, keys, call),
      fill: (writes, call) => writeNearest(parts.tiers, writes, call),
    };
  }

  /** Whether nobody can be asked for what this process's memory does not have: no level, and no load under way. */
  isMissing(key: string): boolean {
    return this.#parts.tiers.length === 0 && this.flights.find(key, false) === undefined;
  }

  /** @throws CacheError for options that are out of range */
  source(loader: Loader, options: LoadOptions = {}): LoadRung {
    const { hlc, origin } = this.#parts;
    const since = filledAfter(options, hlc.early());
    // A reading is given out once, so with the node it names the load.
    const { ms, counter } = hlc.next();
    const token = `${origin.toString(36)}.${ms.toString(36)}.${counter}`;
    return new LoadRung(this.#loadParts, loader, new LoadedEntries(this.#parts, options, since), since, token);
  }

  /**
   * Answers from the levels below this process, in the order of the keys. What has not come by the deadline is
   * answered with nothing: not knowing in time is no error of the caller's.
   * @throws CacheError `aborted`
   */
  async read(keys: readonly string[], call: Call): Promise<readonly Answer[]> {
    const { flights, own } = this.#join(keys, undefined, call);
    try {
      const all = this.#ended(flights, own);
      const isBounded = flights.every((flight) => flight.endsWithin(call));
      await (isBounded ? all : waitWithin(this.#parts.clock, call, `the read of ${named(keys)}`, all));
    } catch (thrown) {
      const error = toError(thrown);
      if (!(error instanceof CacheError) || error.code !== 'deadline') throw error;
      this.#parts.tally.error('local', 'deadline');
    }
    return flights.map((flight) => flight.value ?? NOTHING);
  }

  /** As `read`, for one key, as most reads are. */
  readOne(key: string, call: Call): Promise<Answer> {
    const joined = this.#joinable(key, false);
    if (joined?.endsWithin(call)) return joined.result;
    if (call.signal === undefined && joined === undefined) {
      const flightCall = this.#flightCall(call, false);
      if (flightCall.deadlineAtMs <= call.deadlineAtMs) {
        const flight = this.flights.begin(key, false, flightCall.deadlineAtMs);
        const { result } = flight;
        this.#fly([flight], this.#parts.tiers, undefined, flightCall, this.#heldOf, nothing);
        return result;
      }
    }
    return this.read([key], call).then(([answer]) => answer as Answer);
  }

  async #ended(flights: readonly Flight<Answer>[], own: Promise<void> | undefined): Promise<void> {
    if (own !== undefined) await own;
    for (const flight of flights) if (flight.value === undefined) await flight.result;
  }

  /**
   * As `read`, with the source as the last rung. With `refresh` the source is the only rung.
   * @throws CacheError `deadline` or `aborted`
   */
  async load(keys: readonly string[], source: LoadRung, refresh: boolean, call: Call): Promise<readonly Answer[]> {
    const flights = refresh ? this.#refresh(keys, source, call) : this.#join(keys, source, call).flights;
    const all = Promise.all(flights.map((flight) => flight.result));
    const answers = await this.#waitFor(all, keys, refresh ? undefined : this.#standIns(keys), call);
    const outdated = keys.filter((_, i) => answers[i]?.revalidate === true);
    if (outdated.length > 0) this.#revalidate(outdated, source);
    return answers;
  }

  /** Waits for a load: to the deadline, or, if stale copies may stand in for all of it, not so long. */
  async #waitFor(
    load: Promise<readonly Answer[]>,
    keys: readonly string[],
    standIns: readonly Answer[] | undefined,
    call: Call,
  ): Promise<readonly Answer[]> {
    const { clock, deadlines } = this.#parts;
    const wait = standIns === undefined ? call : sliceCall(clock, call, deadlines.softMs);
    try {
      return await waitWithin(clock, wait, `the load of ${named(keys)}`, load);
    } catch (thrown) {
      const isLate = thrown instanceof CacheError && thrown.code === 'deadline';
      if (isLate && standIns !== undefined) return standIns;
      throw thrown;
    }
  }

  /** Answers for all keys from stale copies in this process; undefined when one has none that may stand in. */
  #standIns(keys: readonly string[]): readonly Answer[] | undefined {
    const { local, clock } = this.#parts;
    const wallMs = clock.wallMs();
    const answers: Answer[] = [];
    for (const key of keys) {
      const held = local.find(key);
      if (held?.entry.kind !== 'value' || wallMs >= held.entry.freshUntilMs + held.entry.staleIfErrorMs)
        return undefined;
      answers.push({ ...NOTHING, entry: held.entry, level: 'local', value: held.value, stale: true });
    }
    return answers;
  }

  /**
   * The value of an answer: the one object that this process keeps of it, or a decoded one; `UNREADABLE` when a level
   * gave bytes that are none.
   */
  valueOf(key: string, answer: Answer): unknown {
    if (answer.entry?.kind !== 'value') return undefined;
    if (answer.level === 'local') return answer.value;
    const kept = answer.stale ? NOT_HERE : this.#parts.local.read(key);
    if (kept !== NOT_HERE) return kept;
    return answer.same ? answer.value : this.#decode(answer.entry.payload, answer.level);
  }

  /** Resolves when nothing goes on behind anybody's back any more. Everything that does has a deadline. */
  settle(): Promise<void> {
    return this.#background.settle();
  }

  #decode(payload: Uint8Array, level: Level | undefined): unknown {
    try {
      return this.#parts.codec.decode(payload, 'one').value;
    } catch {
      // Written by a newer release, or damaged. The level counts as having failed.
      this.#parts.tally.error(level ?? 'local', 'corrupt-entry');
      return UNREADABLE;
    }
  }

  #join(keys: readonly string[], source: LoadRung | undefined, call: Call): Joined {
    const loads = source !== undefined;
    const flightCall = this.#flightCall(call, loads);
    const begun: Flight<Answer>[] = [];
    const flights = keys.map((key) => {
      const joined = this.#joinable(key, loads);
      if (joined !== undefined) return joined;
      const flight = this.flights.begin(key, loads, flightCall.deadlineAtMs);
      begun.push(flight);
      return flight;
    });
    if (begun.length === 0) return { flights, own: undefined };
    const rungs = loads ? [...this.#parts.tiers, source] : this.#parts.tiers;
    const own = new Promise<void>((ended) => {
      this.#fly(begun, rungs, source, flightCall, this.#heldOf, ended);
    });
    return { flights, own };
  }

  /** The flight to join: one under way, or one that brought what an owner lends for a moment. */
  #joinable(key: string, loads: boolean): Flight<Answer> | undefined {
    const { lent } = this.flights;
    const underWay = this.flights.find(key, loads);
    if (underWay !== undefined || lent.size === 0) return underWay;
    const { floors, clock } = this.#parts;
    const flight = lent.find(key, clock.monotonicMs());
    const entry = flight?.value?.entry;
    return entry !== undefined && floors.passes(key, entry) ? flight : undefined;
  }

  /** A flight outlives the caller who began it: others may wait for it, and what it brings is worth keeping. */
  #flightCall(call: Call, loads: boolean): Call {
    const { clock, deadlines } = this.#parts;
    const ownAtMs = clock.monotonicMs() + (loads ? deadlines.loadMs : deadlines.readMs);
    // A call with the usual deadline was dated a moment ago: with the same one, it needs no wait of its own.
    const isUsual = ownAtMs - call.deadlineAtMs <= DATED_WITHIN_MS;
    return { deadlineAtMs: isUsual ? call.deadlineAtMs : ownAtMs, signal: undefined, reason: call.reason };
  }

  #refresh(keys: readonly string[], source: LoadRung, call: Call): Flight<Answer>[] {
    const begun: Flight<Answer>[] = [];
    const flights = keys.map((key) => {
      const joined = this.flights.findRefresh(key);
      if (joined !== undefined) return joined;
      const flight = this.flights.beginRefresh(key);
      begun.push(flight);
      return flight;
    });
    if (begun.length > 0) this.#fly(begun, [source], source, this.#flightCall(call, true), holdNothing, nothing);
    return flights;
  }

  /** Climbs for all flights at once. Ends each, whatever happens, and says so. */
  #fly(
    flights: readonly Flight<Answer>[],
    rungs: readonly Rung[],
    source: LoadRung | undefined,
    call: Call,
    held: (key: string) => Held | undefined,
    ended: () => void,
  ): void {
    this.#background.begin();
    const keys = flights.map((flight) => flight.key);
    climb(keys, rungs, held, call, this.#ladder, (answers) => {
      try {
        if (answers instanceof Error) throw answers;
        this.#land(flights, answers, rungs, source);
      } catch (thrown) {
        this.#fail(flights, toError(thrown));
      }
      this.#background.end();
      ended();
    });
  }

  #land(
    flights: readonly Flight<Answer>[],
    answers: readonly Answer[],
    rungs: readonly Rung[],
    source: LoadRung | undefined,
  ): void {
    for (const flight of flights) this.flights.end(flight);
    this.#fills.keep(flights, answers, rungs, source);
    for (let i = 0; i < flights.length; i++) {
      const flight = flights[i] as Flight<Answer>;
      const answer = answers[i] as Answer;
      if (answer.lentUntilMs > 0) this.#lend(flight, answer);
      flight.resolve(answer);
    }
  }

  /** Whoever asks for the key within the next moment has the same answer, unless something happens to it. */
  #lend(flight: Flight<Answer>, { entry, lentUntilMs }: Answer): void {
    const { local, clock, tally } = this.#parts;
    if (!flight.armed || entry === undefined || local === NO_LOCAL) return;
    tally.hotAnswers += 1;
    this.flights.lent.keep(flight, lentUntilMs, flight.key.length * 2 + entry.payload.length, clock.monotonicMs());
  }

  #fail(flights: readonly Flight<Answer>[], error: Error): void {
    for (const flight of flights) {
      this.flights.end(flight);
      flight.reject(error);
    }
  }

  readonly #heldOf = (key: string): Held | undefined => {
    const held = this.#parts.local.find(key);
    if (held === undefined) return undefined;
    const { entry, trusted, sizeBytes } = held;
    // Its value may have to be decoded first, and is seldom wanted.
    return {
      entry,
      level: 'local',
      doubted: !trusted,
      sizeBytes,
      get value() {
        return held.value;
      },
    };
  };

  #revalidate(keys: readonly string[], source: LoadRung): void {
    const { clock, deadlines, events } = this.#parts;
    const nowMs = clock.monotonicMs();
    const { failures } = this.#loadParts;
    const wanted = keys.filter(
      (key) => this.flights.findRefresh(key) === undefined && failures.recent(key, nowMs) === undefined,
    );
    if (wanted.length === 0) return;
    const call: Call = { deadlineAtMs: clock.monotonicMs() + deadlines.loadMs, signal: undefined, reason: 'refresh' };
    for (const flight of this.#refresh(wanted, source, call)) {
      this.#background.track(
        flight.result.then((answer) => {
          const failed = answer.errors.at(-1);
          if (failed !== undefined) events.emit('refresh-error', { key: flight.key, error: failed.error });
        }),
      );
    }
  }
}

interface Joined {
  readonly flights: readonly Flight<Answer>[];
  /** Resolves when those that were begun just now have ended; undefined when all were under way. */
  readonly own: Promise<void> | undefined;
}

function holdNothing(): undefined {
  return undefined;
}

function nothing(): void {}

function named(keys: readonly string[]): string {
  const [first] = keys;
  return keys.length === 1 ? JSON.stringify(first) : `${keys.length} keys (${JSON.stringify(first)}, ...)`;
}
