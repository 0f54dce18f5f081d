/**
 * The process in which the scenarios of one subject play, one after another. An error that nobody handled would end an
 * application: it ends this process too, with a verdict that says so.
 */

import type { Effort } from './effort.js';
import type { FromHost, ToHost } from './host-messages.js';
import { RedisServers } from './redis-servers.js';
import { scenarios } from './scenarios.js';
import { Stage } from './stage.js';
import type { Shape } from './subject.js';
import { findSubject } from './subjects.js';
import { type Finding, findingOfThrown, firstLine } from './verdict.js';

const subject = await findSubject(process.argv[2] ?? '');
let servers: RedisServers | undefined;
let stage: Stage | undefined;

process.on('uncaughtException', (thrown: unknown, origin) => {
  if (stage === undefined || stage.isTearingDown) return;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const name = origin === 'unhandledRejection' ? 'unhandledRejection' : "unhandled 'error'";
  const note = `the process dies: ${name}: ${error.name}: ${firstLine(error.message)}`;
  if (process.env.COHERENCE_DEBUG !== undefined) console.error(thrown);
  say({ kind: 'found', finding: { verdict: 'FAIL', note }, isLast: true }, () => process.exit(1));
});
process.on('message', (order: ToHost) => void play(order));
process.on('disconnect', () => process.exit());
// What was started here ends with the exit.
process.once('SIGTERM', () => process.exit());
say({ kind: 'ready', version: subject.version, shapes: subject.shapes });

async function play({ id, shape, effort }: ToHost): Promise<void> {
  let finding: Finding;
  let isLast = false;
  try {
    finding = await run(id, shape, effort);
  } catch (thrown) {
    finding = findingOfThrown(thrown);
    isLast = true;
  }
  say({ kind: 'found', finding, isLast });
}

async function run(id: string, shape: Shape, effort: Effort): Promise<Finding> {
  const scenario = scenarios.find((one) => one.id === id);
  if (scenario === undefined) throw new Error(`There is no scenario ${id}.`);
  const opened = await Stage.open(subject, shape, effort, () => freshServers(shape));
  stage = opened;
  try {
    await scenario.run(opened).catch((thrown: unknown) => opened.fail(thrown));
    return opened.finding;
  } finally {
    await opened.clear();
  }
}

async function freshServers(shape: Shape): Promise<RedisServers | undefined> {
  if (shape === 'peers-only') return undefined;
  const isCluster = shape !== 'single';
  if (servers !== undefined && (servers.isBroken || servers.isCluster !== isCluster)) {
    await servers.stop();
    servers = undefined;
  }
  servers ??= await RedisServers.start(isCluster, subject.takesHostAsked);
  await servers.empty();
  return servers;
}

function say(message: FromHost, then: () => void = () => {}): void {
  process.send?.(message, undefined, {}, then);
}
