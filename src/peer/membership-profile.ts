/** How patient the members are with each other. All times in ms. */
export interface MembershipProfile {
  /** One member is probed every so often. */
  readonly periodMs: number;
  /** How long a probe may take before others are asked to try. */
  readonly probeMs: number;
  /** How long those others may take, together. */
  readonly relayMs: number;
  /** Periods for which one is at least suspect before it is down, times the decimal logarithm of the members. */
  readonly suspicionPeriods: number;
  /** How many times longer it is suspect while nobody else confirms. */
  readonly suspicionSpread: number;
  /** How late a timer of our own may be before this node takes itself for stalled. */
  readonly stallMs: number;
}

/**
 * `local`: nodes on one machine or in one rack, where a round trip takes well under a millisecond. A dead node has lost
 * its buckets after two seconds. A full collection of a large heap may make it suspect, and costs no bucket.
 */
const LOCAL: MembershipProfile = Object.freeze({
  periodMs: 300, // five nodes probe each other about once a second
  probeMs: 200, // a busy loop of 100 ms and its way back
  relayMs: 300,
  suspicionPeriods: 4, // 1.2 s: four members probed meanwhile, each may confirm or be asked by the suspect
  suspicionSpread: 3, // 3.6 s if nobody else sees it
  stallMs: 400, // longer than a probe may take: what went wrong in between is our own doing
});

/** `near`: a city; machines on one network, a round trip of up to some milliseconds. What is used unless told otherwise. */
const NEAR: MembershipProfile = Object.freeze({
  periodMs: 500, // a round of a dozen nodes in six seconds; the load of a node does not grow with their number
  probeMs: 500, // a hundred round trips, or a long pause of the collector
  relayMs: 700, // suspect 1.2 s after it froze; hedged reads bridge that
  suspicionPeriods: 5, // 2.5 s: longer than a pause of the collector, shorter than anybody's patience
  suspicionSpread: 3, // 7.5 s when nobody confirms: then it may be us
  stallMs: 800,
});

/** `far`: nodes that are tens of milliseconds apart, over lines that lose packets: a retransmission takes a second. */
const FAR: MembershipProfile = Object.freeze({
  periodMs: 2_000,
  probeMs: 1_500, // TCP retransmits after 200 ms to 1 s: one lost packet is no failure
  relayMs: 2_000,
  suspicionPeriods: 5, // 10 s: a route that flaps is back by then
  suspicionSpread: 4, // 40 s when nobody confirms
  stallMs: 3_000,
});

export type ProfileName = 'local' | 'near' | 'far';

export const MEMBERSHIP_PROFILES: Readonly<Record<ProfileName, MembershipProfile>> = Object.freeze({
  local: LOCAL,
  near: NEAR,
  far: FAR,
});

/** Others that are asked to try when a probe fails: with a fifth of all messages lost, all three fail once in 125 times. */
export const RELAYS = 3;
/** How many times as patient a node becomes that seems slow itself (Lifeguard's S is 8). */
export const HEALTH_MAX = 7;
/** What is new goes to so many others at once, and on from there: 3^5 members are reached in five steps. */
export const FANOUT = 3;
/** How often what is new is passed on, in parts of the period. */
export const GOSSIPS_PER_PERIOD = 3;
/** A piece of news is told so many times the logarithm of the members (SWIM's lambda): beyond it, all know it already. */
export const RETELLINGS = 4;
/** Who is down, and seeds that are nobody yet, are tried every so many periods: so a city that was cut grows together. */
export const RECONNECT_PERIODS = 4;
/** How long one that is down or left is remembered, so that old words do not revive it: longer than any word travels. */
export const REMEMBERED_MS = 600_000;
/** Most members, those that are down among them. */
export const MEMBERS_MAX = 256;
/** Most pieces of news in one message. */
export const NEWS_MAX = 32;
/** Most addresses that are tried and are nobody yet. */
export const CONTACTS_MAX = 256;
