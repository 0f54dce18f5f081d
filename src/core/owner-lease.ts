/**
 * How long this process may use what an owner of a key said of it without asking again, in ms, where nobody tells it of
 * writes: where there is no Redis, and, of keys that very many ask for, while Redis does not answer. Counted from before
 * the owner was asked: every write that was acknowledged until then the owner had.
 */
export const OWNER_LEASE_MS = 800;

/**
 * What has been on its way for longer is not kept: memory counts from when it came. Together with the lease, and with the
 * time that a read takes, it stays below the second that is promised.
 */
export const ON_THE_WAY_MAX_MS = 100;
