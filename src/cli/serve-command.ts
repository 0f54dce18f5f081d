import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { CacheError } from '../core/errors.js';
import { startDaemon } from '../node/daemon.js';
import { listenForInterrupt } from './interrupt.js';

/** A stop that takes longer is no stop. */
const STOP_BOUND_MS = 10_000;

export function serveCommand(version: string, exit: (code: number) => void): Command {
  return new Command('serve')
    .description('Run a cache node until SIGINT or SIGTERM, with /metrics, /stats, /healthz and a page for operators.')
    .requiredOption(
      '--config <file>',
      'JSON: { "cache": { ... }, "http": { "listen": "127.0.0.1:9464" }, "fleet": { ... } }',
    )
    .addHelpText(
      'after',
      `
"cache" is what createCache() takes: city, local, redis, peers and so on. Example:
  { "cache": { "city": "mumbai", "redis": { "nodes": ["127.0.0.1:7001"] },
               "peers": { "listen": "127.0.0.1:7946", "seeds": ["127.0.0.1:7947"], "secret": "..." } },
    "http": { "listen": "127.0.0.1:9464" } }
With "fleet": { "database": "postgres://...", "token": "..." } it also tells where vehicles are and how they move, to
whoever sends the token: GET /fleet/live. Each stream is a line on standard output, without places. The node then follows
what others write to the tables, for which its role must own them, and /metrics has the figures of both.`,
    )
    .action(async ({ config }: { readonly config: string }) => exit(await serve(config, version)));
}

/** @returns the exit code */
async function serve(path: string, version: string): Promise<number> {
  const config = await readConfig(path);
  const interrupt = listenForInterrupt(() => {});
  try {
    const daemon = await startDaemon(config, {
      version,
      onMistake: ({ message }) => process.stderr.write(`fleetflow-cache: ${message}\n`),
      onAccess: (access) =>
        process.stdout.write(`${JSON.stringify({ at: new Date().toISOString(), access: 'fleet/live', ...access })}\n`),
    });
    const peers = daemon.peerAddress === undefined ? '' : `, peers on ${daemon.peerAddress}`;
    process.stdout.write(`fleetflow-cache ${version}: operators on ${daemon.url}${peers}\n`);
    await new Promise<void>((resolve) => {
      if (interrupt.signal.aborted) resolve();
      else interrupt.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    const timer = setTimeout(() => {
      process.stderr.write(`fleetflow-cache: did not stop within ${STOP_BOUND_MS} ms\n`);
      process.exit(1);
    }, STOP_BOUND_MS);
    await daemon.close();
    clearTimeout(timer);
    return 0;
  } finally {
    interrupt.release();
  }
}

async function readConfig(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw configError(`${path} cannot be read`, cause);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw configError(`${path} is not JSON`, cause);
  }
}

function configError(what: string, cause: unknown): CacheError {
  const message = `--config: ${what}: ${cause instanceof Error ? cause.message : cause}`;
  return new CacheError('invalid-config', message, { field: '--config', cause });
}
