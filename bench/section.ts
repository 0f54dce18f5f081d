import type { Row } from './row.js';
import type { TaskName, TaskOf } from './tasks.js';
import type { Worker } from './worker.js';

/** A group of measures that is run by its name. */
export interface Section {
  readonly name: string;
  /** One line for `--help`. */
  readonly about: string;
  /** @throws Error when anything went wrong: an error is never measured */
  run(bench: Bench): Promise<readonly Row[]>;
}

/** What a server of PostgreSQL writes into its log: enough for itself, or for those who follow it row by row. */
export type WalLevel = 'replica' | 'logical';

/** What a section works with. */
export interface Bench {
  /** Everything smaller and shorter, so that all sections together end within a minute. */
  readonly quick: boolean;
  readonly seed: number;
  /** Aborted when the user wants to stop: look at it between runs. */
  readonly signal: AbortSignal;
  /** What the sections before this one measured in the same run. */
  readonly rows: readonly Row[];
  /** Whether this subject is to take part. Ours always does. */
  wants(subject: string): boolean;
  /** Says how it goes, on stderr. */
  say(line: string): void;
  /** `127.0.0.1:port` of a Redis Cluster of three primaries and three replicas, started when it is first asked for. */
  redis(): Promise<readonly string[]>;
  /**
   * The URL of a database on a server of its own, empty and started when it is first asked for. Who writes to it shares it
   * with nobody.
   */
  postgres(wal: WalLevel): Promise<string>;
  /** Starts a process for a task. It is stopped after the section if nobody did before. */
  open<N extends TaskName>(task: N, options: OptionsOf<N>, settings?: WorkerSettings): Promise<Worker<TaskOf<N>>>;
}

export type OptionsOf<N extends TaskName> = Parameters<
  Awaited<ReturnType<typeof import('./tasks.js').tasks[N]>>['open']
>[0];

export interface WorkerSettings {
  /** As errors and profiles call it. */
  readonly name?: string;
  /** For Node: `--expose-gc`. */
  readonly nodeOptions?: readonly string[];
}
