import { setTimeout as sleep } from 'node:timers/promises';
import { findFreePort } from '../../src/cli/servers/free-port.js';
import { promoteAll, readAll } from './bulk-calls.js';
import type { Effort } from './effort.js';
import { Link } from './link.js';
import { NodeProcess } from './node-process.js';
import { PeerLink } from './peer-link.js';
import type { RedisServers } from './redis-servers.js';
import { type CacheNode, hasRedis, type KeepOptions, type NodeSettings, type Shape, type Subject } from './subject.js';
import { type Finding, findingOf, findingOfThrown, type Held, joinFindings } from './verdict.js';
import { expectThat, reached, timeUntil } from './waiting.js';

/** A node of the subject, and what stands between it and Redis, and between it and the other nodes. */
export interface StageNode<N extends CacheNode = CacheNode> {
  readonly cache: N;
  readonly link: Link;
  readonly peerLink: PeerLink | undefined;
}

/** What a scenario may ask of its nodes. */
type Given = Pick<Partial<NodeSettings>, 'ttlMs' | 'whileRevalidateMs'> & {
  /** What each keeps for all, in bytes. */
  readonly peerBytes?: number;
};

/** A node that is still to be started. */
interface Place {
  readonly link: Link;
  readonly peerLink: PeerLink | undefined;
  readonly settings: NodeSettings;
}

const SECRET = 'coherence-of-the-peers';
/** Longer than any scenario watches: what is stale until its TTL is stale for good. */
const TTL_MS = 600_000;
const START_BOUND_MS = 90_000;
/** Often enough that what a node asks in the background does not count. */
const HOLD_LOOKS = 1_000;
const HOLD_BOUND_MS = 3_000;
/** So long without a new subscription, and there are all that there will be. */
const QUIET_MS = 150;
const QUIET_LOOKS_MAX = 20;
const STOP_BOUND_MS = 10_000;
let stages = 0;

/** Where one scenario plays: its servers, the nodes that it starts, and what it found. */
export class Stage {
  readonly subject: Subject;
  readonly shape: Shape;
  readonly effort: Effort;
  readonly #renew: () => Promise<RedisServers | undefined>;
  #redis: RedisServers | undefined;
  #prefix = '';
  readonly #findings: (readonly [string, Finding])[] = [];
  #stops: (() => Promise<void>)[] = [];
  #links: Link[] = [];
  #peerLinks: PeerLink[] = [];
  #keys = 0;
  #isTearingDown = false;

  /** @param renew gives servers that are whole and empty; none where there is no Redis */
  private constructor(
    subject: Subject,
    shape: Shape,
    effort: Effort,
    redis: RedisServers | undefined,
    renew: () => Promise<RedisServers | undefined>,
  ) {
    this.subject = subject;
    this.shape = shape;
    this.effort = effort;
    this.#redis = redis;
    this.#renew = renew;
    this.#rename();
  }

  static async open(
    subject: Subject,
    shape: Shape,
    effort: Effort,
    renew: () => Promise<RedisServers | undefined>,
  ): Promise<Stage> {
    return new Stage(subject, shape, effort, await renew(), renew);
  }

  get redis(): RedisServers {
    if (this.#redis === undefined) throw new Error(`there is no Redis in the shape ${this.shape}`);
    return this.#redis;
  }

  get hasPeers(): boolean {
    return this.shape !== 'single' && this.shape !== 'cluster';
  }

  /** Whether there is a Redis that answers. */
  get hasRedis(): boolean {
    return hasRedis(this.shape);
  }

  /** A key that no other part of the scenario uses. */
  key(name: string): string {
    this.#keys += 1;
    return `${name}:${this.#keys}`;
  }

  /**
   * Reads keys until the node answers them from its own memory: only then can it be wrong about them later. One that
   * never does (it has no such memory) is let go on after a while.
   */
  async holds(cache: CacheNode, keys: readonly string[], value: unknown, options?: KeepOptions): Promise<void> {
    await promoteAll(cache, keys, value, options);
    let wrong: readonly unknown[] = [];
    // Without a Redis nothing tells from which memory an answer came.
    const commandCount = async () => (this.hasRedis ? this.redis.commandCount() : 0);
    const isHeld = async (): Promise<boolean> => {
      const before = await commandCount();
      const looks = Math.ceil(HOLD_LOOKS / keys.length);
      for (let look = 0; look < looks; look++) {
        wrong = (await readAll(cache, keys)).filter((one) => one !== value);
        if (wrong.length > 0) return false;
      }
      const commands = (await commandCount()) - before;
      return commands < (looks * keys.length) / 2;
    };
    await timeUntil(HOLD_BOUND_MS, isHeld);
    expectThat(wrong.length === 0, `reads ${String(wrong[0])} where ${String(value)} was written`);
  }

  /** Runs a part of the scenario; what it finds is kept, and the next part runs all the same. */
  async part(name: string, run: () => Promise<Held>): Promise<void> {
    this.#findings.push([name, await run().then(findingOf, findingOfThrown)]);
  }

  /** It could not be played to its end. */
  fail(thrown: unknown): void {
    this.#findings.push(['', findingOfThrown(thrown)]);
  }

  get finding(): Finding {
    return joinFindings(this.#findings);
  }

  /** Starts nodes in this process, one after another, and resolves when they know each other. */
  async nodes(count: number, given: Given = {}): Promise<StageNode[]> {
    const started: StageNode[] = [];
    for (let i = 0; i < count; i++) started.push(await this.latecomer(given));
    await this.#whenReady(started);
    return started;
  }

  /** One more node, not waited for until it knows the others: some of the servers may be gone. */
  async latecomer(given: Given = {}): Promise<StageNode> {
    const { link, peerLink, settings } = await this.#settle(given);
    const cache = await reached('the start of a node', START_BOUND_MS, this.subject.start(settings));
    this.#onStop(cache);
    return { cache, link, peerLink };
  }

  async node(): Promise<StageNode> {
    const [node] = await this.nodes(1);
    return node as StageNode;
  }

  /** The same, each in a process of its own. */
  async processes(shiftsMs: readonly number[]): Promise<StageNode<NodeProcess>[]> {
    const places: (Place & { readonly shiftMs: number })[] = [];
    for (const shiftMs of shiftsMs) places.push({ ...(await this.#settle({})), shiftMs });
    const starts = places.map(async ({ link, peerLink, settings, shiftMs }) => {
      const cache = await NodeProcess.start(this.subject.name, settings, shiftMs);
      this.#onStop(cache);
      return { cache, link, peerLink };
    });
    const started = await reached('the start of the nodes', START_BOUND_MS, Promise.all(starts));
    await this.#whenReady(started);
    return started;
  }

  /** Nodes are being stopped: what goes wrong then is the doing of whoever stops them. */
  get isTearingDown(): boolean {
    return this.#isTearingDown;
  }

  /** Stops all nodes and takes away what stood between. */
  async clear(): Promise<void> {
    this.#isTearingDown = true;
    for (const link of [...this.#links, ...this.#peerLinks]) link.accept();
    const stops = this.#stops.map((stop) => reached('the stop of a node', STOP_BOUND_MS, stop()));
    await Promise.allSettled(stops);
    await Promise.allSettled([...this.#links, ...this.#peerLinks].map((link) => link.close()));
    [this.#stops, this.#links, this.#peerLinks] = [[], [], []];
  }

  /** For the next part of a scenario that leaves nothing whole: all nodes are stopped, the servers fresh. */
  async next(): Promise<void> {
    await this.clear();
    this.#redis = await this.#renew();
    this.#rename();
    this.#isTearingDown = false;
  }

  #rename(): void {
    stages += 1;
    this.#prefix = `coherence-${process.pid}-${stages}:`;
  }

  async #settle({ peerBytes, ...given }: Given): Promise<Place> {
    const nth = this.#links.length + 1;
    const link = await Link.open(`127.0.1.${nth}`, this.#redis?.ports ?? []);
    this.#links.push(link);
    const seeds = this.#peerLinks.map(({ address }) => address);
    let peerLink: PeerLink | undefined;
    let peers: NodeSettings['peers'];
    if (this.hasPeers) {
      const port = await findFreePort();
      peerLink = await PeerLink.open(`127.0.2.${nth}`, port, this.#peerLinks);
      this.#peerLinks.push(peerLink);
      const maxBytes = peerBytes === undefined ? {} : { maxBytes: peerBytes };
      peers = { listen: `127.0.0.1:${port}`, advertise: peerLink.address, seeds, secret: SECRET, ...maxBytes };
    }
    const settings: NodeSettings = {
      prefix: this.#prefix,
      ttlMs: TTL_MS,
      redis: link.addresses,
      isCluster: this.#redis?.isCluster === true,
      addressMap: link.addressMap,
      peers,
      ...given,
    };
    return { link, peerLink, settings };
  }

  #onStop(cache: CacheNode): void {
    this.#stops.push(() => cache.stop());
  }

  /** Nodes know each other, and listen to what they listen to; libraries do not say when that is so. */
  async #whenReady(started: readonly StageNode[]): Promise<void> {
    if (this.hasPeers) {
      const joined = started.map(({ cache }) => cache.whenJoined(this.#peerLinks.length));
      await reached('the nodes to know each other', START_BOUND_MS, Promise.all(joined));
    }
    await this.#whenListening();
    if (this.shape === 'gutter') for (const { link } of started) link.sever();
  }

  async #whenListening(): Promise<void> {
    const redis = this.#redis;
    if (redis === undefined) return;
    let before = -1;
    for (let look = 0; look < QUIET_LOOKS_MAX; look++) {
      const now = await redis.subscriptionCount();
      if (now === before) return;
      before = now;
      await sleep(QUIET_MS);
    }
  }
}
