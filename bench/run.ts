import type { Options } from './options.js';
import { OURS, type Row } from './row.js';
import type { Bench, OptionsOf, Section, WalLevel, WorkerSettings } from './section.js';
import { type DatabaseServer, type RedisServers, startDatabase, startRedisServers } from './servers.js';
import type { TaskName, TaskOf } from './tasks.js';
import { Worker } from './worker.js';

/** One run of some sections: what they measured, and the processes that they share. */
export class Run implements Bench {
  readonly quick: boolean;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly rows: Row[] = [];
  /** By section. */
  readonly tookSeconds = new Map<string, number>();
  readonly #options: Options;
  readonly #workers = new Set<{ stop(): Promise<void> }>();
  #redis: Promise<RedisServers> | undefined;
  readonly #databases = new Map<WalLevel, Promise<DatabaseServer>>();

  constructor(options: Options, signal: AbortSignal) {
    this.#options = options;
    this.quick = options.quick;
    this.seed = options.seed;
    this.signal = signal;
  }

  async play(section: Section): Promise<readonly Row[]> {
    this.signal.throwIfAborted();
    const startedMs = performance.now();
    this.say(`section ${section.name}`);
    try {
      const rows = await section.run(this);
      const broken = rows.find(({ value }) => !Number.isFinite(value));
      if (broken !== undefined) throw new Error(`${broken.id} of ${broken.subject} is ${broken.value}`);
      if (rows.length === 0) throw new Error('it measured nothing');
      this.rows.push(...rows);
      return rows;
    } finally {
      await this.#stopWorkers();
      const seconds = (performance.now() - startedMs) / 1_000;
      this.tookSeconds.set(section.name, seconds);
      this.say(`section ${section.name} took ${seconds.toFixed(1)} s`);
    }
  }

  wants(subject: string): boolean {
    const { subjects } = this.#options;
    return subjects === undefined || subject.startsWith(OURS) || subjects.some((one) => subject.startsWith(one));
  }

  say(line: string): void {
    process.stderr.write(`${line}\n`);
  }

  async redis(): Promise<readonly string[]> {
    this.#redis ??= startRedisServers((line) => this.say(line), this.signal);
    return (await this.#redis).nodes;
  }

  async postgres(wal: WalLevel): Promise<string> {
    const started = this.#databases.get(wal) ?? startDatabase(wal, (line) => this.say(line), this.signal);
    this.#databases.set(wal, started);
    return (await started).url;
  }

  async open<N extends TaskName>(
    task: N,
    options: OptionsOf<N>,
    { name = task, nodeOptions = [] }: WorkerSettings = {},
  ): Promise<Worker<TaskOf<N>>> {
    this.signal.throwIfAborted();
    const profile = this.#options.profile && name.startsWith(OURS);
    const worker = await Worker.start<TaskOf<N>>({ task, options, name, nodeOptions, profile });
    this.#workers.add(worker);
    return worker;
  }

  async close(): Promise<void> {
    await this.#stopWorkers();
    for (const started of [this.#redis, ...this.#databases.values()]) {
      await started?.then(
        (servers) => servers.stop(),
        () => {},
      );
    }
  }

  async #stopWorkers(): Promise<void> {
    const workers = [...this.#workers];
    this.#workers.clear();
    await Promise.all(workers.map((worker) => worker.stop()));
  }
}
