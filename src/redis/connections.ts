import { type Call, waitWithin } from '../core/call.js';
import type { Chance } from '../core/chance.js';
import type { Cancel, Clock } from '../core/clock.js';
import { CacheError, toError } from '../core/errors.js';
import { RedisLink } from './redis-link.js';
import type { ReplyTaker } from './reply-ring.js';
import type { RedisAccess } from './resp-connection.js';
import type { RedisArgument } from './resp-encoder.js';
import { type Reply, RespError } from './resp-parser.js';
import { SLOTS, type SlotRange, SlotTable } from './slot-table.js';
import { parseClusterSlots, parseRedirect } from './topology.js';

export interface ConnectionsOptions {
  /** `host:port` of a single Redis, or of at least one node of a cluster. */
  readonly nodes: readonly string[];
  readonly access: RedisAccess;
  readonly clock: Clock;
  readonly chance: Chance;
  /** A node could not be reached or its answer not be used; `shard` is its address. */
  onError(error: Error, shard: string): void;
  /** A node has greeted a new connection. */
  onConnected(shard: string): void;
  /** A node is no primary any more. */
  onGone(shard: string): void;
}

const PING_EVERY_MS = 500;
const ANSWER_BOUND_MS = 1_000;
/** Nodes asked for the topology at a time, so that a frozen one does not hold up the others. */
const ASKED_AT_ONCE = 3;
/** While a primary cannot be reached, its successor may be elected at any moment. */
const REFRESH_TROUBLED_MS = 250;
const REFRESH_CALM_MS = 30_000;
/** However many commands ask for it. */
const REFRESH_SPACING_MS = 100;
const REDIRECTS_MAX = 3;
const TRY_AGAIN_PAUSE_MS = 20;

/**
 * Routes commands to the primaries of a Redis Cluster, or to a single Redis, over one connection each.
 *
 * It routes by itself because the cluster object of the library costs two thirds of the throughput, hangs callers
 * during a fail-over and does not recover from a frozen primary. Nothing here waits for a node that is known to be
 * away: its callers are told at once, and a new topology is asked for until somebody serves its slots again.
 */
export class RedisConnections {
  readonly #options: ConnectionsOptions;
  readonly #table = new SlotTable();
  readonly #links = new Map<string, RedisLink>();
  readonly #listeners = new Set<() => void>();
  #isCluster = true;
  #closed = false;
  #refreshing = false;
  #refreshedAtMs = Number.NEGATIVE_INFINITY;
  #refreshDueAtMs = Number.POSITIVE_INFINITY;
  #cancelRefresh: Cancel = () => {};

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.#keepLinks();
    this.#refreshIn(REFRESH_TROUBLED_MS);
  }

  /** Whether slots matter; false for a single Redis. Known once a node has answered. */
  get isCluster(): boolean {
    return this.#isCluster;
  }

  /** The address of the primary of a slot. */
  ownerOf(slot: number): string | undefined {
    return this.#table.ownerOf(slot);
  }

  /** Whether every slot has a primary and each of them is connected. */
  get whole(): boolean {
    return this.#table.uncovered === 0 && this.shards().every(({ ok }) => ok);
  }

  /** The primaries, and whether each is connected. */
  shards(): { readonly shard: string; readonly ok: boolean }[] {
    return [...this.#table.owners()].map((shard) => ({ shard, ok: this.#links.get(shard)?.ready === true }));
  }

  /** Why a primary cannot be asked at all; undefined when it is connected. */
  whyAway(shard: string): CacheError | undefined {
    if (this.#links.get(shard)?.ready === true) return undefined;
    return new CacheError('level-failed', `redis ${shard} is not connected`);
  }

  /** Calls `listener` whenever a slot got another owner, or a primary was lost or came back. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /**
   * Sends a command to the primary of its slot and follows where that sends it, as long as the call lasts. Waiting no
   * longer than that for an answer is the caller's part.
   * Rejects with the error of the server, or with a `CacheError` `level-failed` when there is nobody to ask.
   */
  send(slot: number, args: readonly RedisArgument[], call: Call): Promise<Reply> {
    return new Promise((resolve, reject) => this.ask(slot, args, call, { take: resolve, fail: reject }));
  }

  /** As `send`, without a promise. */
  ask(slot: number, args: readonly RedisArgument[], call: Call, taker: ReplyTaker): void {
    const link = this.#linkOf(slot);
    if (this.#closed) taker.fail(new CacheError('closed', 'the connections to Redis are closed'));
    else if (link === undefined) {
      this.refreshSoon();
      taker.fail(new CacheError('level-failed', `no Redis node is known to serve slot ${slot}`));
    } else link.ask(args, new Routed(taker, slot, args, call, link, this));
  }

  /**
   * The connection to a primary, for who asks it for much at once. Where the server refuses some of that, `follow` finds
   * out where it is answered.
   */
  linkTo(shard: string): RedisLink | undefined {
    return this.#closed ? undefined : this.#links.get(shard);
  }

  /** Asks once more what `asked` has answered with an error, where that points to; else rejects with it. */
  follow(slot: number, args: readonly RedisArgument[], call: Call, asked: RedisLink, error: Error): Promise<Reply> {
    return this.#recover(slot, args, call, asked, error, 1);
  }

  /** Somebody answered for a slot that it belongs to another node. */
  noteMoved(slot: number, message: string, asked: string): void {
    const redirect = parseRedirect(message, asked);
    if (redirect?.kind === 'moved') this.#move(slot, redirect.address);
  }

  /** Asks for the topology, unless that is under way or was done just now. */
  refreshSoon(): void {
    this.#refreshIn(Math.max(0, this.#refreshedAtMs + REFRESH_SPACING_MS - this.#options.clock.monotonicMs()));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelRefresh();
    this.#listeners.clear();
    await Promise.all([...this.#links.values()].map((link) => link.close()));
  }

  #linkOf(slot: number): RedisLink | undefined {
    const owner = this.#table.ownerOf(slot);
    return owner === undefined ? undefined : this.#links.get(owner);
  }

  async #recover(
    slot: number,
    args: readonly RedisArgument[],
    call: Call,
    asked: RedisLink,
    error: Error,
    attempt: number,
  ): Promise<Reply> {
    const redirect = parseRedirect(error.message, asked.address);
    const tryAgain = error.message.startsWith('TRYAGAIN');
    if (redirect === undefined && !tryAgain) {
      if (/^(?:CLUSTERDOWN|READONLY|MASTERDOWN) /.test(error.message)) this.refreshSoon();
      throw error;
    }
    if (redirect?.kind === 'moved') this.#move(slot, redirect.address);
    if (attempt > REDIRECTS_MAX || this.#closed || this.#options.clock.monotonicMs() >= call.deadlineAtMs) throw error;
    if (tryAgain) await this.#pause(TRY_AGAIN_PAUSE_MS);
    const link = redirect === undefined ? this.#linkOf(slot) : this.#keepLink(redirect.address);
    if (link === undefined) throw error;
    // One that we have just heard of is still being connected.
    await link.opened;
    try {
      if (redirect?.kind !== 'ask') return await link.send(args);
      // Holds for the next command of the connection, which is ours: both are queued in this turn.
      const [, reply] = await Promise.all([link.send(['ASKING']), link.send(args)]);
      return reply;
    } catch (again) {
      return this.#recover(slot, args, call, link, toError(again), attempt + 1);
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.schedule(ms, resolve);
    });
  }

  #move(slot: number, address: string): void {
    if (this.#table.ownerOf(slot) !== address) {
      this.#table.move(slot, address);
      this.#keepLink(address);
      this.#changed();
    }
    this.refreshSoon();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  #refreshIn(ms: number): void {
    const { clock } = this.#options;
    const dueAtMs = clock.monotonicMs() + ms;
    if (this.#closed || this.#refreshing || dueAtMs >= this.#refreshDueAtMs) return;
    this.#cancelRefresh();
    this.#refreshDueAtMs = dueAtMs;
    this.#cancelRefresh = clock.schedule(ms, () => {
      this.#refreshDueAtMs = Number.POSITIVE_INFINITY;
      // It never rejects: what went wrong was told to onError.
      void this.#refresh();
    });
  }

  async #refresh(): Promise<void> {
    const { clock, chance } = this.#options;
    this.#refreshing = true;
    this.#refreshedAtMs = clock.monotonicMs();
    const ready = [...this.#links.values()].filter((link) => link.ready);
    const asked = shuffle(ready, chance).slice(0, ASKED_AT_ONCE);
    try {
      const view = await Promise.any(asked.map((link) => this.#ask(link)));
      const before = this.#table.owners();
      this.#isCluster = view.isCluster;
      this.#table.replace(view.ranges);
      const after = this.#table.owners();
      for (const address of before) if (!after.has(address)) this.#options.onGone(address);
    } catch {
      // All of them failed, or there was none to ask; each was told to onError.
    }
    this.#refreshing = false;
    if (this.#closed) return;
    this.#keepLinks();
    this.#changed();
    this.#refreshIn((this.whole ? REFRESH_CALM_MS : REFRESH_TROUBLED_MS) * (0.75 + chance.next() / 2));
  }

  async #ask(link: RedisLink): Promise<View> {
    const { clock, nodes, onError } = this.#options;
    const call: Call = { deadlineAtMs: clock.monotonicMs() + ANSWER_BOUND_MS, signal: undefined, reason: 'probe' };
    try {
      const reply = await waitWithin(clock, call, link.name, link.send(['CLUSTER', 'SLOTS']));
      return { ranges: parseClusterSlots(reply, link.address), isCluster: true };
    } catch (thrown) {
      const single = /cluster support disabled/.test(toError(thrown).message);
      if (single && nodes.length === 1) {
        return { ranges: [{ first: 0, last: SLOTS - 1, address: link.address }], isCluster: false };
      }
      const error = single ? notACluster(link.address, nodes.length, thrown) : toError(thrown);
      onError(error, link.address);
      throw error;
    }
  }

  /** Has a link to every primary, to the configured nodes as long as no primary answers, and to nobody else. */
  #keepLinks(): void {
    const wanted = new Set(this.#table.owners());
    if (![...wanted].some((address) => this.#links.get(address)?.ready === true)) {
      for (const address of this.#options.nodes) wanted.add(address);
    }
    for (const address of wanted) this.#keepLink(address);
    for (const [address, link] of this.#links) {
      if (wanted.has(address)) continue;
      this.#links.delete(address);
      void link.close();
    }
  }

  #keepLink(address: string): RedisLink {
    const known = this.#links.get(address);
    if (known !== undefined) return known;
    const { access, clock, chance, onError, onConnected } = this.#options;
    const link = new RedisLink({
      address,
      access,
      clock,
      chance,
      heartbeat: { everyMs: PING_EVERY_MS, ask: (one) => one.send(['PING']) },
      onReady: () => {
        onConnected(address);
        if (!this.whole) this.refreshSoon();
        this.#changed();
      },
      onLost: (_, error) => {
        onError(error, address);
        this.refreshSoon();
        this.#changed();
      },
    });
    this.#links.set(address, link);
    return link;
  }
}

/** Lets an error of the server be followed to where it points. Every command has one: it is kept small. */
class Routed implements ReplyTaker {
  readonly #taker: ReplyTaker;
  readonly #slot: number;
  readonly #args: readonly RedisArgument[];
  readonly #call: Call;
  readonly #asked: RedisLink;
  readonly #connections: RedisConnections;

  constructor(
    taker: ReplyTaker,
    slot: number,
    args: readonly RedisArgument[],
    call: Call,
    asked: RedisLink,
    connections: RedisConnections,
  ) {
    this.#taker = taker;
    this.#slot = slot;
    this.#args = args;
    this.#call = call;
    this.#asked = asked;
    this.#connections = connections;
  }

  take(reply: Reply): void {
    this.#taker.take(reply);
  }

  fail(error: Error): void {
    if (!(error instanceof RespError)) {
      this.#taker.fail(error);
      return;
    }
    this.#connections.follow(this.#slot, this.#args, this.#call, this.#asked, error).then(
      (reply) => this.#taker.take(reply),
      (thrown: unknown) => this.#taker.fail(toError(thrown)),
    );
  }
}

/** What a node says of who serves what. */
interface View {
  readonly ranges: readonly SlotRange[];
  readonly isCluster: boolean;
}

function notACluster(address: string, nodes: number, cause: unknown): CacheError {
  return new CacheError(
    'invalid-config',
    `redis.nodes names ${nodes} nodes, but ${address} is not part of a cluster: name one node, or nodes of one cluster`,
    { field: 'redis.nodes', cause },
  );
}

/** A copy in random order. (Fisher and Yates; Durstenfeld's form.) */
function shuffle<T>(items: readonly T[], chance: Chance): T[] {
  const shuffled = [...items];
  for (let left = shuffled.length; left > 1; left--) {
    const drawn = Math.floor(chance.next() * left);
    const last = shuffled[left - 1] as T;
    shuffled[left - 1] = shuffled[drawn] as T;
    shuffled[drawn] = last;
  }
  return shuffled;
}
