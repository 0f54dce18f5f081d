import { type Call, remainingMs, waitWithin } from '../core/call.js';
import type { Chance } from '../core/chance.js';
import type { Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import type { Change, Feed } from '../core/feed.js';
import { type Floor, Floors } from '../core/floors.js';
import { PARTITIONS } from '../core/key.js';
import { STORED, type WriteOutcome } from '../core/outcome.js';
import { decodeVersion } from '../core/version.js';
import type { RedisConnections } from './connections.js';
import { parseFloor, RAISE, raiseArguments } from './floor-script.js';
import type { KeyLayout } from './key-layout.js';
import type { RedisAccess } from './resp-connection.js';
import { makeRunId, runScript } from './script-run.js';
import type { ServerInfo } from './server-info.js';
import type { ShardCalls } from './shard-calls.js';
import { Subscriptions } from './subscriptions.js';

export interface RedisFeedOptions {
  readonly connections: RedisConnections;
  readonly calls: ShardCalls;
  readonly layout: KeyLayout;
  readonly access: RedisAccess;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly probeIntervalMs: number;
  onTime(server: string, sentAtMs: number, serverMs: number): void;
  onServer(server: string, info: ServerInfo): void;
  onError(error: Error, shard: string): void;
  /** The entry of a key changed, or the lease on it ended. */
  onLeaseEnd(key: string): void;
  /** Ends of leases in a partition may have gone by unheard. */
  onLeaseGap(partition: number): void;
  /** A floor is known that was not. */
  onFloor(): void;
}

/** The floors follow the partitions among the streams. */
const FLOORS_STREAM = PARTITIONS;
const RELOAD_BOUND_MS = 1_000;

/** version, operation, key: see the script that announces them. */
const ENTRY_BODY = /^([0-9a-f]{40}) ([sdf]) (.*)$/s;
/** What precedes the key when only the lease on it ended. */
const LEASE_END = 'l ';

/** How the nodes of a city that share a Redis learn of each other's writes, deletes and floors. */
export class RedisFeed implements Feed {
  readonly #options: RedisFeedOptions;
  /** What is kept in Redis, or should be: a fail-over may lose what we still know. */
  readonly #floors = new Floors();
  readonly #waiting = new Set<() => void>();
  #onChange: (change: Change) => void = () => {};
  #subscriptions: Subscriptions | undefined;
  #floorsLoaded = false;
  /** By stream; 0 before anything is known. */
  readonly #knownSinceMs = new Float64Array(PARTITIONS + 1);
  #reloading = false;
  #reloadAgain = false;

  constructor(options: RedisFeedOptions) {
    this.#options = options;
  }

  /** Whether the floors have been read. Before that, nothing that is read from Redis may be served. */
  get floorsLoaded(): boolean {
    return this.#floorsLoaded;
  }

  /** What is known of the floors. */
  get floors(): Pick<Floors, 'passes'> {
    return this.#floors;
  }

  /** Whether Redis may lack what it had acknowledged of a partition: see `Subscriptions.mayLack`. */
  mayLack(partition: number): boolean {
    const subscriptions = this.#subscriptions;
    return subscriptions !== undefined && (subscriptions.mayLack(partition) || subscriptions.mayLack(FLOORS_STREAM));
  }

  listen(onChange: (change: Change) => void): void {
    this.#onChange = onChange;
  }

  /**
   * Begins to follow all partitions and the floors. Resolves when it does, or at the deadline of the call: then it
   * goes on trying. Never rejects.
   */
  async start(call: Call): Promise<void> {
    const { connections, access, clock, chance, probeIntervalMs, layout, onTime, onServer, onError } = this.#options;
    this.#subscriptions ??= new Subscriptions({
      connections,
      access,
      clock,
      chance,
      probeIntervalMs,
      streams: [...layout.partitions, layout.floors],
      onBody: (stream, body) => this.#hear(stream, body),
      onGap: (stream, lost) => this.#gap(stream, lost),
      onKnown: (stream, sinceMs) => this.#known(stream, sinceMs),
      onTime,
      onServer,
      onError,
    });
    if (remainingMs(clock, call) <= 0 || this.#isWhole()) return;
    let isWhole = (): void => {};
    const whole = new Promise<void>((resolve) => {
      isWhole = resolve;
    });
    this.#waiting.add(isWhole);
    await waitWithin(clock, call, 'the feed', whole).catch(() => {});
    this.#waiting.delete(isWhole);
  }

  async stop(): Promise<void> {
    await this.#subscriptions?.stop();
  }

  async raise(floor: Floor, call: Call): Promise<WriteOutcome> {
    const { calls, layout } = this.#options;
    const answer = await calls.askOne(layout.floors.slot, call, () => this.#write([floor], call));
    if (answer.kind === 'answered') return STORED;
    // It may have been written or not. It is kept, and compared with what Redis has when that answers again.
    this.#note(floor);
    this.#subscriptions?.distrust(FLOORS_STREAM);
    return answer;
  }

  #isWhole(): boolean {
    return this.#floorsLoaded && this.#subscriptions?.whole === true;
  }

  #gap(stream: number, lost: boolean): void {
    if (stream === FLOORS_STREAM) void this.#reload();
    else {
      this.#onChange({ kind: 'gap', partition: stream, lost });
      this.#options.onLeaseGap(stream);
    }
    this.#tellWaiting();
  }

  /** A floor that may have been missed concerns every partition: none is known before the floors are. */
  #known(stream: number, sinceMs: number): void {
    this.#knownSinceMs[stream] = sinceMs;
    if (!this.#floorsLoaded || this.#reloading) return;
    const from = stream === FLOORS_STREAM ? 0 : stream;
    const to = stream === FLOORS_STREAM ? PARTITIONS : stream + 1;
    const floorsSinceMs = this.#knownSinceMs[FLOORS_STREAM] as number;
    for (let partition = from; partition < to; partition++) {
      const bothSinceMs = Math.min(this.#knownSinceMs[partition] as number, floorsSinceMs);
      if (bothSinceMs > 0) this.#onChange({ kind: 'known', partition, sinceMs: bothSinceMs });
    }
  }

  #tellWaiting(): void {
    if (this.#waiting.size === 0 || !this.#isWhole()) return;
    for (const tell of this.#waiting) tell();
  }

  #hear(stream: number, body: string): void {
    if (stream === FLOORS_STREAM) {
      const floor = parseFloor(body.slice(17), body.slice(0, 16));
      if (floor !== undefined) this.#learn(floor);
      return;
    }
    const { onLeaseEnd } = this.#options;
    if (body.startsWith(LEASE_END)) {
      onLeaseEnd(body.slice(LEASE_END.length));
      return;
    }
    const [, version, operation, key] = ENTRY_BODY.exec(body) ?? [];
    if (version === undefined || key === undefined) return;
    this.#onChange({ kind: 'entry', key, version: decodeVersion(version), deleted: operation === 'd' });
    onLeaseEnd(key);
  }

  #learn(floor: Floor): void {
    if (this.#note(floor)) this.#onChange({ kind: 'floor', floor });
  }

  /** @returns whether it is news */
  #note(floor: Floor): boolean {
    try {
      const isNews = this.#floors.raise(floor);
      if (isNews) this.#options.onFloor();
      return isNews;
    } catch (thrown) {
      this.#options.onError(toError(thrown), 'floors');
      return false;
    }
  }

  #write(floors: readonly Floor[], call: Call): Promise<unknown> {
    const { connections, layout, chance } = this.#options;
    const { keys, values } = raiseArguments(layout.floors, makeRunId(chance), floors);
    return runScript(connections, call, layout.floors.slot, RAISE, keys, values);
  }

  /** One at a time; a gap during one is cause for another, because what was read may be older than the gap. */
  async #reload(): Promise<void> {
    this.#reloadAgain = true;
    if (this.#reloading) return;
    this.#reloading = true;
    while (this.#reloadAgain) {
      this.#reloadAgain = false;
      await this.#readFloors();
    }
    this.#reloading = false;
    this.#tellWaiting();
  }

  /** Reads all floors, and puts back those that Redis has lost. Never rejects. */
  async #readFloors(): Promise<void> {
    const { connections, layout, clock, onError } = this.#options;
    const call: Call = { deadlineAtMs: clock.monotonicMs() + RELOAD_BOUND_MS, signal: undefined, reason: 'probe' };
    try {
      const reading = connections.send(layout.floors.slot, ['HGETALL', layout.floors.hashKey], call);
      const stored = parseFloors(await waitWithin(clock, call, 'the floors', reading));
      for (const floor of stored) this.#learn(floor);
      this.#floorsLoaded = true;
      const lost = this.#missingFrom(stored);
      if (lost.length > 0) await waitWithin(clock, call, 'the floors', this.#write(lost, call));
    } catch (thrown) {
      // Nothing is vouched for until they have been read: what was missed may concern every partition.
      this.#knownSinceMs[FLOORS_STREAM] = 0;
      // The next probe is a gap then, which brings us here again.
      this.#subscriptions?.distrust(FLOORS_STREAM);
      onError(toError(thrown), connections.ownerOf(layout.floors.slot) ?? 'floors');
    }
  }

  #missingFrom(stored: readonly Floor[]): Floor[] {
    const there = new Floors();
    for (const floor of stored) there.raise(floor);
    return this.#floors.list().filter((floor) => there.raise(floor));
  }
}

function parseFloors(reply: unknown): Floor[] {
  if (!Array.isArray(reply)) throw new CacheError('level-failed', 'redis answered HGETALL with something else');
  const floors: Floor[] = [];
  for (let at = 0; at + 1 < reply.length; at += 2) {
    const floor = parseFloor(String(reply[at]), String(reply[at + 1]));
    if (floor !== undefined) floors.push(floor);
  }
  return floors;
}
