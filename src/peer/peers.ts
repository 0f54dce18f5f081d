import type { Chance } from '../core/chance.js';
import type { Clock } from '../core/clock.js';
import { CacheError } from '../core/errors.js';
import type { Feed } from '../core/feed.js';
import type { HybridClock } from '../core/hlc.js';
import type { LeaseOffice } from '../core/lease.js';
import type { Tier } from '../core/tier.js';
import { type Discovery, DiscoveryLoop } from './discovery.js';
import { Door } from './door.js';
import { DriftGate } from './drift.js';
import { Handover, handOver } from './handover.js';
import type { HotReads } from './hot-reads.js';
import { HttpPeerTransport } from './http-transport.js';
import { LeaseDesk } from './lease-desk.js';
import { LeaseTable } from './lease-table.js';
import { isThere, type Member, type MemberInfo } from './member.js';
import { MembershipDriver } from './membership-driver.js';
import type { MembershipChange } from './membership-events.js';
import { MEMBERSHIP_PROFILES, type MembershipProfile, type ProfileName } from './membership-profile.js';
import type { PeerHedge } from './owner-reads.js';
import { formatAddress, isPeerAddress, parseAddress } from './peer-address.js';
import { PeerCluster } from './peer-cluster.js';
import { type KnownFloors, PeerFeed } from './peer-feed.js';
import { PeerLeases } from './peer-leases.js';
import { peerRoutes } from './peer-routes.js';
import { PeerServer } from './peer-server.js';
import { answerBatch, type PeerService } from './peer-service.js';
import { type PeerGuard, type PeerHolders, PeerTier } from './peer-tier.js';
import { Refusals } from './refusals.js';
import { SlabPeerStore } from './slab-store.js';

export interface PeersOptions {
  /** `host:port` to listen on; port 0 takes a free one. */
  readonly listen: string;
  /** `host:port` under which the others reach this node; left out, what it listens on. */
  readonly advertise?: string;
  /** `host:port` of some other nodes; the rest is learned from them. */
  readonly seeds: readonly string[];
  /** Where else nodes are looked for, again and again. */
  readonly discoveries?: readonly Discovery[];
  /**
   * The same on all nodes of a city. Of several, this node signs with the first and accepts all, so that one can be
   * changed while the nodes run.
   */
  readonly secret: string | readonly string[];
  /** How many nodes keep each entry; default 2. */
  readonly replicas?: number;
  /** What this node keeps for all, with what keeping it costs, in bytes; default 512 MiB. */
  readonly maxBytes?: number;
  /** How long an owner may take to say who loads a missing key, in ms; default 500. */
  readonly answerMs?: number;
  /** How patient the nodes are with each other; the same on all of them. Default `near`: within one city. */
  readonly profile?: ProfileName | MembershipProfile;
  /** The machine that this node runs on, and its rack or zone: replicas are kept apart by them. */
  readonly host?: string;
  readonly rack?: string;
  /** 12 hex digits, different on every node. */
  readonly nodeId: string;
  readonly clock: Clock;
  readonly chance: Chance;
  /** The one of this process: it dates what is put over HTTP, and follows the others' floors. */
  readonly hlc: HybridClock;
  /** The floors that this process goes by. */
  readonly floors: KnownFloors;
  /** Left out: nothing protects the calls of one peer but their deadlines. */
  readonly guard?: PeerGuard;
  /** Left out: all who hold a key are asked for it at once. */
  readonly hedge?: PeerHedge;
  /** Left out: nobody is told that a key is asked for often. */
  readonly hot?: HotReads;
  readonly onMembership?: (change: MembershipChange) => void;
  /** Told of each request, answer or connection that is refused: why, as one of some thirty words. */
  readonly onRefused?: (reason: string) => void;
  /** What went wrong behind everybody's back: a peer that refuses our secret, a request that failed for a bug. */
  readonly onError?: (error: Error) => void;
}

export interface HandoverState {
  /** Buckets that this node is still comparing with others. */
  readonly doubted: number;
  /** Every member has what it is to keep, as far as this node knows. */
  readonly settled: boolean;
}

export interface Peers {
  readonly tier: Tier;
  readonly feed: Feed;
  /** The owners' office: for when there is no Redis, or none that answers. */
  readonly leases: LeaseOffice;
  /** Under which the others reach this node. */
  readonly address: string;
  /** What this node holds for all. */
  readonly store: { readonly sizeBytes: number; readonly entries: number };
  /** The same on all nodes that have the same members. */
  epoch(): string;
  /** Everybody else that is known. */
  members(): readonly MemberInfo[];
  /** How far this node is with the latest change of members. */
  handover(): HandoverState;
  /** The city is degraded, as this node sees it: as long as one says so, everything has a replica more. */
  setDegraded(isDegraded: boolean): void;
  /** The members that keep a key, the first owner first; this node may be one. */
  ownersOf(key: string): readonly Member[];
  /**
   * Leaves: hands over what this node keeps, as far as that is done within eight seconds, tells the others, ends what is
   * under way within two seconds and gives everything back.
   */
  close(): Promise<void>;
}

const REPLICAS = 2;
const STORE_BYTES = 512 * 1_048_576;
const ANSWER_MS = 500;
/** How long a node that leaves waits for those who take over; a pod has 30 s by default until it is killed. */
const LEAVE_MAX_MS = 8_000;
/** How long a start waits for what this node is to keep; what takes longer goes on behind. */
const START_MAX_MS = 2_000;
const LOOK_MS = 20;
const NO_GUARD: PeerGuard = { run: (_address, _call, work) => work(), heard() {}, forget() {} };
/** What nobody has to quote, in no shell and no file. */
const SECRET_FORM = /^[\x21-\x7e]+$/;
const SECRETS_MAX = 3;

/**
 * Joins the peers of the city: listens, asks the seeds who is there and takes over what this node is to keep. Resolves
 * when that is done or had its time to be. Seeds that are not there yet are no error.
 * @throws CacheError `address-in-use` or `invalid-config`, naming the field
 */
export async function createPeers(options: PeersOptions): Promise<Peers> {
  checkOptions(options);
  const { clock, chance, hlc, floors, guard = NO_GUARD } = options;
  const secrets = secretsOf(options);
  const listen = parseAddress(options.listen, 'peers.listen');
  const onError = options.onError ?? (() => {});

  const refusals = new Refusals({ clock, onRefused: options.onRefused ?? (() => {}), onError });
  const drift = new DriftGate({ clock, hlc });
  const door = new Door({ secrets, clock, drift, address: () => address });
  const server = new PeerServer({ listen, door, refusals, clock, onError });
  const port = await server.listen();
  const address: string = options.advertise ?? formatAddress({ host: listen.host, port });
  const { host, rack, profile: given = 'near' } = options;
  const self: Member = {
    id: options.nodeId,
    address,
    weight: 1,
    ...(host !== undefined && { host }),
    ...(rack !== undefined && { rack }),
  };
  const profile = typeof given === 'string' ? MEMBERSHIP_PROFILES[given] : given;

  const transport = new HttpPeerTransport({
    clock,
    chance,
    secret: secrets[0] as string,
    drift,
    onDrift: (peer) => refusals.note('clock-drift', `an answer of ${peer}`),
    onReply: (peer) => guard.heard(peer),
    onUnreachable: (peer) => void driver.handle({ kind: 'unreachable', address: peer }),
    epoch: () => cluster.epoch,
    onEpoch: (peer) => void driver.learnFrom(peer),
  });
  const cluster: PeerCluster = new PeerCluster({
    clock,
    chance,
    self,
    seeds: options.seeds,
    replicas: options.replicas ?? REPLICAS,
    profile,
    onError,
    onDoubt: () => handover.start(),
    onSettled: () => handover.sweep(),
    onChange: (change) => options.onMembership?.(change),
    onGone: (peer) => {
      transport.forget(peer);
      guard.forget(peer);
      options.hedge?.forget(peer);
      feed.forget(peer);
      driver.forget(peer);
    },
  });
  const feed = new PeerFeed({ clock, transport, hlc, floors, members: () => cluster.members() });
  const store = new SlabPeerStore(clock, options.maxBytes ?? STORE_BYTES);
  const desk = new LeaseDesk({
    clock,
    hlc,
    floors,
    store,
    table: new LeaseTable(),
    tell: (addresses, key) => leases.tell(addresses, key),
  });
  const leases: PeerLeases = new PeerLeases({
    clock,
    owners: cluster,
    desk,
    transport,
    guard,
    answerMs: options.answerMs ?? ANSWER_MS,
    isMember: (peer) => cluster.members().some((member) => member.address === peer && isThere(member)),
  });
  const handover: Handover = new Handover({
    clock,
    self,
    doubts: cluster.doubts,
    store: {
      read: (key) => store.read(key),
      write: (key, bytes, mode) => desk.store.write(key, bytes, mode),
      keysOf: (bucket) => store.keysOf(bucket),
      marksOf: (bucket) => store.marksOf(bucket),
      adoptMarks: (bucket, marks, had) => store.adoptMarks(bucket, marks, had),
      evict: (bucket) => store.evict(bucket),
      forget: (bucket) => store.forget(bucket),
    },
    transport,
    epoch: () => cluster.epoch,
    holdersOf: (bucket) => cluster.holdersOf(bucket),
    isSuspect: (id) => cluster.isSuspect(id),
    onSure: () => void driver.handle({ kind: 'tick' }),
  });
  const owners: PeerHolders = {
    self,
    get epoch() {
      return cluster.epoch;
    },
    ownersOf: (key) => cluster.ownersOf(key),
    holdersOf: (bucket) => cluster.holdersOf(bucket),
    isChanging: (bucket) => cluster.isChanging(bucket),
    isSuspect: (id) => cluster.isSuspect(id),
    isDoubted: (bucket) => cluster.doubts.has(bucket),
    learned: (call) => driver.learned(call),
  };
  const { hedge, hot } = options;
  const tier = new PeerTier({
    clock,
    owners,
    store: desk.store,
    transport,
    guard,
    ...(hedge !== undefined && { hedge }),
    ...(hot !== undefined && { hot }),
  });
  const driver: MembershipDriver = new MembershipDriver({
    clock,
    cluster,
    profile,
    transport,
    mark: () => feed.mark,
    catchUp: (peer, mark, call) => feed.catchUp(peer, mark, call),
    onError,
  });
  const service: PeerService = {
    batch: (request) => answerBatch(desk.store, leases, request, cluster.doubts, hot),
    hello: () => ({
      node: self,
      epoch: cluster.epoch,
      floors: feed.mark,
      members: cluster.members(),
    }),
    handover: (request) => handOver(store, cluster.doubts, request, cluster.epoch),
    gossip: (said) => driver.answer(said),
    epoch: () => cluster.epoch,
    floors: (after) => feed.listAfter(after),
    takeFloors: (received) => feed.take(received),
  };
  server.serve(peerRoutes({ clock, hlc, origin: Number.parseInt(self.id, 16), service, tier, floors, drift }));

  const discovery = new DiscoveryLoop({
    clock,
    discoveries: options.discoveries ?? [],
    self: address,
    onFound: (addresses) => driver.handle({ kind: 'discovered', addresses: addresses.filter(isPeerAddress) }),
    onError,
  });
  await discovery.start();
  await driver.start();
  cluster.begin();
  await waitFor(START_MAX_MS, () => cluster.isSettled && cluster.doubts.size === 0);

  /** Owns nothing any more, and waits until the others have what it kept. */
  async function leave(): Promise<void> {
    await driver.handle({ kind: 'announce', change: { leaving: true } });
    await waitFor(LEAVE_MAX_MS, () => cluster.isHandedOver);
  }

  async function waitFor(boundMs: number, holds: () => boolean): Promise<void> {
    const endMs = clock.monotonicMs() + boundMs;
    while (!holds() && clock.monotonicMs() < endMs) {
      await new Promise<void>((resolve) => {
        clock.schedule(LOOK_MS, resolve);
      });
    }
  }

  return {
    tier,
    feed,
    leases,
    address,
    store,
    epoch: () => cluster.epoch,
    members: () => cluster.members(),
    handover: () => ({ doubted: cluster.doubts.size, settled: cluster.isSettled && cluster.doubts.size === 0 }),
    setDegraded: (degraded) => void driver.handle({ kind: 'announce', change: { degraded } }),
    ownersOf: (key) => cluster.ownersOf(key),
    async close() {
      await leave();
      await Promise.all([driver.handle({ kind: 'depart' }), discovery.close()]);
      handover.close();
      driver.close();
      leases.close();
      await tier.close();
      await Promise.all([server.close(), transport.close()]);
    },
  };
}

/** @throws CacheError `invalid-config` naming the field */
function checkOptions(options: PeersOptions): void {
  const { nodeId, seeds, advertise, listen, replicas = REPLICAS, maxBytes = STORE_BYTES } = options;
  check(/^[0-9a-f]{12}$/.test(nodeId), 'nodeId', 'must be 12 lower-case hex digits');
  const secrets = secretsOf(options);
  for (const secret of secrets) {
    check(SECRET_FORM.test(secret), 'peers.secret', 'must be at least one visible ASCII character, without spaces');
  }
  const isCountRight = secrets.length >= 1 && secrets.length <= SECRETS_MAX;
  check(isCountRight, 'peers.secret', `must be one secret or up to ${SECRETS_MAX}, the one to sign with first`);
  check(Number.isInteger(replicas) && replicas >= 1 && replicas <= 8, 'peers.replicas', 'must be 1 to 8');
  check(Number.isSafeInteger(maxBytes) && maxBytes > 0, 'peers.maxBytes', 'must be a number of bytes');
  for (const seed of seeds) check(isPeerAddress(seed), 'peers.seeds', `has ${JSON.stringify(seed)}: give host:port`);
  if (advertise !== undefined) {
    check(isPeerAddress(advertise), 'peers.advertise', `is ${JSON.stringify(advertise)}: give host:port`);
  } else {
    const { host } = parseAddress(listen, 'peers.listen');
    const isEverywhere = host === '0.0.0.0' || host === '::';
    check(!isEverywhere, 'peers.advertise', `is needed: the others cannot reach this node at ${host}`);
  }
}

function secretsOf({ secret }: Pick<PeersOptions, 'secret'>): readonly string[] {
  return typeof secret === 'string' ? [secret] : secret;
}

function check(isRight: boolean, field: string, why: string): void {
  if (!isRight) throw new CacheError('invalid-config', `${field} ${why}`, { field });
}
