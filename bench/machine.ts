import { arch, cpus, loadavg, totalmem } from 'node:os';

/** Where it was measured, and how busy it was already. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly arch: string;
  readonly node: string;
  /** Of the minute before the start. */
  readonly loadBefore: number;
}

export function machineOf(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryMiB: Math.round(totalmem() / 1_048_576),
    arch: arch(),
    node: process.version,
    loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}

/** As results and pages say it. */
export function describeMachine({ cpu, cores, node, loadBefore }: Machine): string {
  return `${cpu}, ${cores} cores, Node ${node}; load before it ${loadBefore}`;
}
