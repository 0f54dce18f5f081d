import { z } from 'zod';
import { PLAIN_BYTES_MAX } from '../codec/deflate.js';
import { type Duration, positiveDurationMs } from '../core/duration.js';
import { CacheError } from '../core/errors.js';

/** Bytes in a mebibyte, for budgets: `256 * MiB`. */
export const MiB = 1_048_576;

const duration = z
  .custom<Duration>((given) => typeof given === 'number' || typeof given === 'string')
  .transform((given, context) => {
    try {
      return positiveDurationMs(given, 'it');
    } catch (thrown) {
      context.addIssue({ code: 'custom', message: (thrown as Error).message });
      return z.NEVER;
    }
  });
const bytes = z.int().positive();
const address = z.string().regex(/^(?:\[[0-9a-fA-F:]+\]|[^:\s/]+):\d{1,5}$/, 'must look like 127.0.0.1:7946');

const SECRET_LENGTH_MIN = 16;

const local = z.strictObject({
  /** Budget for keys, values and what keeping them costs. */
  maxBytes: bytes.default(256 * MiB),
  maxEntries: z.int().positive().default(10_000),
  /**
   * How long a copy is used before a further level is asked again; the TTL itself when there is none. At most 0.8 s with
   * peers and without Redis, where nobody tells of writes.
   */
  ttl: duration.default(300_000),
});

const redis = z.strictObject({
  /** Addresses of some nodes; the others are found through them. */
  nodes: z.array(address).min(1),
  /** Before every key; no braces, which would move the hash tag. */
  prefix: z
    .string()
    .max(128)
    .regex(/^[^{}]*$/, 'must not contain { or }')
    .default('fleetflow:'),
  ttl: duration.default(3_600_000),
  username: z.string().optional(),
  password: z.string().optional(),
  tls: z.boolean().default(false),
  /** Longest wait for one read or write of this level. */
  timeout: duration.default(250),
});

const place = z.string().regex(/^[\x21-\x7e]{1,64}$/, 'must be 1 to 64 visible ASCII characters');

const discovery = z
  .strictObject({
    /** A name with several addresses, such as a headless service of Kubernetes. */
    dns: z
      .strictObject({
        name: z.string().min(1).max(253),
        /** That all listen on. Left out: the name is that of SRV records, which say it. */
        port: z.int().min(1).max(65_535).optional(),
      })
      .optional(),
    /** The nodes say in the city's Redis that they are there. */
    redis: z.boolean().default(false),
  })
  .refine(({ dns, redis }) => dns !== undefined || redis, 'must name dns or redis: leave it out to go by peers.seeds');

const secret = z
  .custom<string | readonly string[]>((given) => typeof given === 'string' || Array.isArray(given), 'must be a text')
  .refine((given) => {
    const secrets: readonly unknown[] = typeof given === 'string' ? [given] : given;
    return secrets.length > 0 && secrets.every((one) => typeof one === 'string' && one.length >= SECRET_LENGTH_MIN);
  }, `must have at least ${SECRET_LENGTH_MIN} characters`);

const peers = z.strictObject({
  /** Where this node listens for the others. */
  listen: address,
  /** Where the others reach it, when that is not where it listens. */
  advertise: address.optional(),
  seeds: z.array(address).default([]),
  /** Where else the others are looked for, every ten seconds. */
  discovery: discovery.optional(),
  /** The machine that this node runs on, and its rack or zone: replicas are kept apart by them. */
  host: place.optional(),
  rack: place.optional(),
  /** Shared by all nodes of the city. A list while it is changed: the first one signs, all are accepted. */
  secret,
  replicas: z.int().min(1).max(3).default(2),
  maxBytes: bytes.default(512 * MiB),
  /** How patient the nodes are with each other; the same on all: `local` in a rack, `near` in a city, `far` beyond. */
  profile: z.enum(['local', 'near', 'far']).default('near'),
  /** Longest wait for one read or write of this level. */
  timeout: duration.default(500),
});

/** What a value must take before it is compressed, when nobody says otherwise: smaller ones take longer than they save. */
const COMPRESSED_FROM_BYTES = 2_048;

const compression = z
  .union(
    [
      z.boolean(),
      z.strictObject({
        minBytes: bytes
          .max(PLAIN_BYTES_MAX, `must be at most ${PLAIN_BYTES_MAX}: larger values are not compressed`)
          .default(COMPRESSED_FROM_BYTES),
      }),
    ],
    'must be true, false or { minBytes: a whole number of bytes }',
  )
  .default(false)
  .transform((given) => {
    if (given === false) return undefined;
    return given === true ? { minBytes: COMPRESSED_FROM_BYTES } : given;
  });

const config = z.strictObject({
  city: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/, 'must be a short lower-case name, such as mumbai')
    .default('local'),
  local: local.default(() => local.parse({})),
  redis: redis.optional(),
  peers: peers.optional(),
  /** Keep copies of what other levels hold in this process. */
  nearCache: z.boolean().default(true),
  /** Make room for new entries in this process by evicting old ones; otherwise what does not fit is not kept. */
  eviction: z.boolean().default(true),
  metrics: z.boolean().default(true),
  /** Compress values whose encoding takes `minBytes` or more, up to 256 KiB. All nodes of the city must be able to read them. */
  compression,
  /** For entries that do not say: how long past its TTL one may be served while a new one is fetched. */
  staleWhileRevalidate: duration.optional(),
  /** For entries that do not say: how long past its TTL one may be served because the source fails. */
  staleIfError: duration.optional(),
  /** Most loads from sources at a time; the others wait in order. */
  maxLoads: z.int().positive().max(10_000).default(32),
  deadlines: z
    .strictObject({
      read: duration.default(1_000),
      load: duration.default(10_000),
      /** How long a load is waited for while there is a stale copy to serve instead. */
      soft: duration.default(500),
      write: duration.default(1_000),
    })
    .prefault({}),
});

/** What `createCache` takes. Everything has a default; `{}` is a cache in memory. */
export type CacheConfig = z.input<typeof config>;
/** A checked configuration: durations in ms, defaults filled in. */
export type ResolvedConfig = z.output<typeof config>;

/** @throws CacheError `invalid-config` that names the field, what it got and what it takes */
export function resolveConfig(given: CacheConfig): ResolvedConfig {
  const parsed = config.safeParse(given);
  if (parsed.success) {
    checkDiscovery(parsed.data);
    return parsed.data;
  }
  const problems = parsed.error.issues.map(describe);
  const field = problems[0]?.field;
  throw new CacheError(
    'invalid-config',
    `the configuration has ${problems.length === 1 ? 'a mistake' : `${problems.length} mistakes`}: ${problems.map(({ text }) => text).join('; ')}`,
    field === undefined ? {} : { field },
  );
}

function checkDiscovery({ peers, redis }: ResolvedConfig): void {
  if (peers?.discovery?.redis !== true || redis !== undefined) return;
  const why = 'peers.discovery.redis needs the Redis of the city: add redis.nodes, or name peers.discovery.dns';
  throw new CacheError('invalid-config', `the configuration has a mistake: ${why}`, { field: 'peers.discovery.redis' });
}

function describe(issue: z.core.$ZodIssue): { readonly field: string; readonly text: string } {
  const path = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const field = issue.keys.map((key) => (path === '' ? key : `${path}.${key}`)).join(', ');
    return { field, text: `${field} is not a field that exists` };
  }
  const field = path === '' ? 'the configuration' : path;
  return { field, text: `${field}: ${issue.message}` };
}
