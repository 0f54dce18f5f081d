/** A process that opens one task and does what it is told. */
import { Profile } from './profile.js';
import { tasks } from './tasks.js';
import type { FromWorker, ToWorker } from './worker-messages.js';

type Methods = Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;
type Opening = () => Promise<{ readonly open: (options: unknown) => Promise<object> }>;

/** Calls of these names are what is measured, and so what is profiled. */
const MEASURED = /^run/;

let task: Methods | undefined;
let profile: Profile | undefined;

process.on('message', (message: ToWorker) => void take(message));
process.on('disconnect', () => process.exit());
// Ctrl-C reaches the whole group of the terminal; the one who started us stops us in order.
process.on('SIGINT', () => {});

async function take(message: ToWorker): Promise<void> {
  if (message.kind === 'stop') {
    await task?.close?.();
    profile?.print();
    process.exit(0);
  }
  try {
    say({ id: message.id, value: await answer(message) });
  } catch (thrown) {
    say({ id: message.id, error: thrown instanceof Error ? withCauses(thrown) : String(thrown) });
  }
}

async function answer(message: Exclude<ToWorker, { kind: 'stop' }>): Promise<unknown> {
  if (message.kind === 'open') {
    if (message.profile) profile = new Profile(message.name);
    const opening = (tasks as unknown as Record<string, Opening>)[message.task];
    if (opening === undefined) throw new Error(`there is no task ${message.task}`);
    task = (await (await opening()).open(message.options)) as Methods;
    return undefined;
  }
  const method = task?.[message.method];
  if (task === undefined || method === undefined) throw new Error(`the task has no ${message.method}`);
  const work = async (): Promise<unknown> => method.apply(task, [...message.args]);
  return profile !== undefined && MEASURED.test(message.method) ? profile.of(work) : work();
}

function say(message: FromWorker): void {
  process.send?.(message);
}

function withCauses(error: Error): string {
  const own = error.stack ?? error.message;
  return error.cause instanceof Error ? `${own}\ncaused by ${withCauses(error.cause)}` : own;
}
