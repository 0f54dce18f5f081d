import type { Chance } from '../core/chance.js';
import type { Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import type { RedisConnections } from './connections.js';
import type { Stream } from './key-layout.js';
import { RedisLink } from './redis-link.js';
import type { RedisAccess } from './resp-connection.js';
import {
  afterAnnouncement,
  afterProbe,
  beforeAnnouncement,
  mayHaveLost,
  type Position,
  parseAnnouncement,
  parsePosition,
  type Step,
} from './sequence.js';
import { ServerInfo } from './server-info.js';

export interface SubscriptionsOptions {
  readonly connections: RedisConnections;
  readonly access: RedisAccess;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly probeIntervalMs: number;
  /** What to listen to; callbacks name a stream by its place here. */
  readonly streams: readonly Stream[];
  /** A change was announced. */
  onBody(stream: number, body: string): void;
  /**
   * Changes of the stream may have been missed before now; from now on none are, until this is called again.
   * @param lost the server may have lost them too
   */
  onGap(stream: number, lost: boolean): void;
  /** Every change of the stream that was made before this monotonic instant has been told. */
  onKnown(stream: number, sinceMs: number): void;
  /** A primary told its time, between the monotonic instant `sentAtMs` and now. */
  onTime(server: string, sentAtMs: number, serverMs: number): void;
  /** A primary to which a connection was made said what it is. */
  onServer(server: string, info: ServerInfo): void;
  onError(error: Error, shard: string): void;
}

/** One stream, and the connection by which it is followed. */
interface Followed {
  readonly index: number;
  readonly keys: Stream;
  /** To the primary of its slot. */
  link: RedisLink | undefined;
  state: 'away' | 'joining' | 'joined';
  /** Undefined while it is not known: then whatever comes next is a gap. */
  position: Position | undefined;
  /** Where it was last known to be, and in which history of the server's data. */
  known: Position | undefined;
  history: string | undefined;
  /** Probes in a row that told of changes which were never delivered. */
  missed: number;
  /** Until then, a monotonic instant, its server may lack changes that it or its predecessor had acknowledged. */
  lackingUntilMs: number;
}

/** A subscription whose changes do not arrive is not there any more, whatever the library believes. */
const MISSED_MAX = 2;

/**
 * After a loss, how long those who know what was lost may need to notice it and to say it again, in ms: a topology (0.3 s),
 * connections (at most 1 s a try), a round of recovery (0.3 s), with as much to spare.
 */
const RESTORED_MS = 3_000;

/**
 * Follows streams over shard channels: one connection to each primary, for the streams whose slots it serves, and a
 * probe of their sequences on that same connection (sequence.ts says why). The probe is the heartbeat of the link, so
 * a connection on which it is not answered is made again.
 *
 * A stream is followed again after any of these: the connection was lost, the slot moved, the server refused. Its
 * position is unknown then, which ends in one gap when it is back; not before, because a gap costs whoever holds
 * entries their trust in them, and while nobody answers there is nothing to check them against.
 */
export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  readonly #followed: readonly Followed[];
  readonly #links = new Map<string, RedisLink>();
  /** What the present connection of each link has subscribed to. */
  readonly #subscribed = new Map<RedisLink, Set<Followed>>();
  /** The history of the data at the end of each link, as far as its server tells. */
  readonly #histories = new Map<RedisLink, string>();
  #stopped = false;

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
    this.#followed = options.streams.map((keys, index) => ({
      index,
      keys,
      link: undefined,
      state: 'away',
      position: undefined,
      known: undefined,
      history: undefined,
      missed: 0,
      lackingUntilMs: 0,
    }));
    options.connections.onChange(() => this.#follow());
    this.#follow();
  }

  /** Whether every stream is followed. */
  get whole(): boolean {
    return this.#followed.every(({ state }) => state === 'joined');
  }

  /**
   * Whether the server of the stream may lack what was acknowledged: it is another one than it was, and has not been
   * compared with it yet; or it was found to have lost changes, and not all who know them may have said them again.
   */
  mayLack(stream: number): boolean {
    const untilMs = this.#followed[stream]?.lackingUntilMs ?? 0;
    return untilMs > 0 && this.#options.clock.monotonicMs() < untilMs;
  }

  /** Forgets where the stream is, so that the next probe is a gap. */
  distrust(stream: number): void {
    const followed = this.#followed[stream];
    if (followed !== undefined) followed.position = undefined;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#links.values()].map((link) => link.close()));
  }

  /** Gives every stream the link to its primary. */
  #follow(): void {
    if (this.#stopped) return;
    for (const followed of this.#followed) {
      const owner = this.#options.connections.ownerOf(followed.keys.slot);
      if (owner === followed.link?.address) continue;
      leave(followed);
      if (followed.known !== undefined) followed.lackingUntilMs = Number.POSITIVE_INFINITY;
      followed.link = owner === undefined ? undefined : this.#keepLink(owner);
      if (followed.link?.ready === true) void this.#join(followed, followed.link);
    }
    const used = new Set(this.#followed.map(({ link }) => link));
    for (const [address, link] of this.#links) {
      if (used.has(link)) continue;
      this.#links.delete(address);
      this.#subscribed.delete(link);
      this.#histories.delete(link);
      void link.close();
    }
  }

  #keepLink(address: string): RedisLink {
    const known = this.#links.get(address);
    if (known !== undefined) return known;
    const { access, clock, chance, probeIntervalMs, connections, onError } = this.#options;
    const link = new RedisLink({
      address,
      access,
      clock,
      chance,
      heartbeat: { everyMs: probeIntervalMs, ask: (one) => this.#probe(one) },
      onReady: (one) => {
        this.#subscribed.set(one, new Set());
        void this.#askServer(one);
        void this.#probe(one);
      },
      onLost: (one, error) => {
        for (const followed of this.#of(one)) leave(followed);
        onError(error, address);
        connections.refreshSoon();
      },
    });
    this.#links.set(address, link);
    return link;
  }

  #of(link: RedisLink): Followed[] {
    return this.#followed.filter((followed) => followed.link === link);
  }

  async #probe(link: RedisLink): Promise<void> {
    void this.#askTime(link);
    await Promise.all(
      this.#of(link).map((followed) =>
        followed.state === 'joined' ? this.#check(followed, link) : this.#join(followed, link),
      ),
    );
  }

  /** Asks a server what it is, before its streams are asked for. Never rejects; one that does not say goes without. */
  async #askServer(link: RedisLink): Promise<void> {
    this.#histories.delete(link);
    const ask = async (section: string) => new ServerInfo(String(await link.send(['INFO', section])));
    try {
      const [replication, memory] = await Promise.all([ask('replication'), ask('memory')]);
      if (replication.history !== undefined) this.#histories.set(link, replication.history);
      this.#options.onServer(link.address, memory);
    } catch {
      // Not allowed to this user, or the connection is lost, which the link tells.
    }
  }

  /** Behind nothing else on the connection, so that the answer is not late. Never rejects. */
  async #askTime(link: RedisLink): Promise<void> {
    const sentAtMs = this.#options.clock.monotonicMs();
    try {
      const answer = await link.send(['TIME']);
      if (!Array.isArray(answer)) return;
      const serverMs = Number(answer[0]) * 1_000 + Number(answer[1]) / 1_000;
      if (Number.isFinite(serverMs)) this.#options.onTime(link.address, sentAtMs, serverMs);
    } catch {
      // What is wrong with the connection is told by those whose answers are missed.
    }
  }

  /** Subscribes, and asks where the stream is behind that: from there on nothing goes by. Never rejects. */
  async #join(followed: Followed, link: RedisLink): Promise<void> {
    const subscribed = this.#subscribed.get(link);
    if (followed.state !== 'away' || subscribed === undefined) return;
    if (subscribed.has(followed)) {
      link.reset(new CacheError('level-failed', `slot ${followed.keys.slot} came back to ${link.name}`));
      return;
    }
    followed.state = 'joining';
    const sentAtMs = this.#options.clock.monotonicMs();
    const { channel, sequenceKey } = followed.keys;
    try {
      const [, held] = await Promise.all([
        link.subscribe(channel, (message) => this.#hear(followed, link, message)).then(() => subscribed.add(followed)),
        link.send(['GET', sequenceKey]),
      ]);
      if (followed.link !== link || !link.ready) return;
      followed.state = 'joined';
      this.#arrive(followed, link, undefined, held, sentAtMs);
    } catch (thrown) {
      if (followed.link === link) leave(followed);
      this.#refused(followed, link, toError(thrown));
    }
  }

  /** Compares where we are with where the stream is. Never rejects. */
  async #check(followed: Followed, link: RedisLink): Promise<void> {
    const lastWhenSent = followed.position;
    const sentAtMs = this.#options.clock.monotonicMs();
    try {
      const held = await link.send(['GET', followed.keys.sequenceKey]);
      if (followed.link === link && followed.state === 'joined') {
        this.#arrive(followed, link, lastWhenSent, held, sentAtMs);
      }
    } catch (thrown) {
      if (followed.link === link) followed.position = undefined;
      // It may have ceased to be a primary, and be one again later, with other data.
      if (link.ready) void this.#askServer(link);
      this.#refused(followed, link, toError(thrown));
    }
  }

  #arrive(followed: Followed, link: RedisLink, lastWhenSent: Position | undefined, held: unknown, sentAtMs: number) {
    const read = parsePosition(held === null || held === undefined ? undefined : String(held));
    if (read === undefined) {
      followed.position = undefined;
      const why = `${followed.keys.sequenceKey} in ${link.name} does not hold a position: somebody else writes to it`;
      this.#options.onError(new CacheError('level-failed', why), link.address);
      this.#options.onGap(followed.index, followed.known !== undefined);
      followed.known = undefined;
      return;
    }
    const wasKnown = followed.position !== undefined;
    this.#step(followed, link, afterProbe(followed.position, lastWhenSent, read), read);
    this.#options.onKnown(followed.index, sentAtMs);
    if (!wasKnown || followed.missed < MISSED_MAX) return;
    followed.missed = 0;
    link.reset(new CacheError('level-failed', `${link.name} does not deliver what is published on its channels`));
  }

  #hear(followed: Followed, link: RedisLink, message: Buffer): void {
    if (followed.link !== link) return;
    const announced = parseAnnouncement(message.toString());
    if (announced === undefined) {
      followed.position = undefined;
      const why = `a message on ${followed.keys.channel} is none of ours: ${JSON.stringify(message.toString().slice(0, 80))}`;
      this.#options.onError(new CacheError('level-failed', why), link.address);
      this.#options.onGap(followed.index, false);
      return;
    }
    this.#step(followed, link, afterAnnouncement(followed.position, announced), beforeAnnouncement(announced));
    followed.missed = 0;
    this.#options.onBody(followed.index, announced.body);
  }

  /** @param found where the stream was found to be, or to have been */
  #step(followed: Followed, link: RedisLink, { position, gap }: Step, found: Position): void {
    const { known, history } = followed;
    followed.position = position;
    followed.known = position;
    followed.history = this.#histories.get(link);
    if (!gap) return;
    followed.missed += 1;
    const isSameHistory = history !== undefined && history === followed.history;
    const lost = mayHaveLost(known, found, isSameHistory);
    // Of what was there before we were, we cannot tell.
    if (lost && known !== undefined) followed.lackingUntilMs = this.#options.clock.monotonicMs() + RESTORED_MS;
    else if (followed.lackingUntilMs === Number.POSITIVE_INFINITY) followed.lackingUntilMs = 0;
    this.#options.onGap(followed.index, lost);
  }

  #refused(followed: Followed, link: RedisLink, error: Error): void {
    // The loss of a connection is told by the link, once.
    if (!link.ready || this.#stopped) return;
    this.#options.connections.noteMoved(followed.keys.slot, error.message, link.address);
    this.#options.connections.refreshSoon();
    this.#options.onError(error, link.address);
  }
}

function leave(followed: Followed): void {
  followed.state = 'away';
  followed.position = undefined;
  followed.missed = 0;
}
