/** What nodes may ask of each other. Both ends hold to the same numbers, so they live in one place. */

/** Largest encoded entry that travels. A cached value of more than 4 MiB is a mistake, and would hold up all others. */
export const ENTRY_BYTES_MAX = 4 * 1_048_576;

/** Largest encoded value that is taken over HTTP: what remains of an entry when it has all its tags. */
export const PAYLOAD_BYTES_MAX = ENTRY_BYTES_MAX - 16_384;

/** Keys in one request: enough that the cost of a request hardly counts, few enough that none waits long. */
export const BATCH_KEYS_MAX = 256;

/** Entries in one request or reply, in bytes; a single larger one goes alone. A millisecond of a 10 Gbit/s link. */
export const BATCH_BYTES_MAX = 1_048_576;

/** Largest body of a request: the largest entry with what surrounds it, and room for other implementations. */
export const BODY_BYTES_MAX = 8 * 1_048_576;

/** Largest reply that is taken: all floors, each with its longest subject. */
export const REPLY_BYTES_MAX = 64 * 1_048_576;

/** How long a peer may take to answer a request, whoever still waits for it. */
export const REQUEST_MAX_MS = 2_000;

/**
 * How far the time that a request is signed at may lie from ours: longer than a request may be under way, and room for
 * the clock of somebody who asks by hand. For twice as long each request is remembered, so that none is done twice.
 */
export const SIGNED_TOLERANCE_MS = 5_000;

/** Who asks, and how often a request was handed on. A request from a peer is answered from the own store. */
export const HOPS_HEADER = 'x-fleetflow-hops';
/**
 * The epoch of the sender of a request between nodes; in the answer that of the other side, when it is another: who
 * asked learns from it that it does not know of a change.
 */
export const EPOCH_HEADER = 'x-fleetflow-epoch';
/**
 * With the answer to a batch: which of its reads are of keys that many ask for, as places, with commas between. Beside the
 * body, because a node that does not know of it must be able to read that.
 */
export const HOT_HEADER = 'x-fleetflow-hot';
/** With an answer to gossip: the time of the node that gave it, in ms since 1970. */
export const TIME_HEADER = 'x-fleetflow-time';
