import { existsSync } from 'node:fs';
import type { Interrupt } from '../interrupt.js';
import type { DemoOptions } from './demo-options.js';
import { Play, type Played } from './play.js';
import { checkReplayFile } from './replay-file.js';
import { type ReportRow, reportRows } from './report.js';
import type { Screen } from './screen.js';
import { type Stage, setStage } from './stage.js';
import { StopList } from './stop-list.js';

export interface DemoResult {
  readonly rows: readonly ReportRow[];
  readonly problems: readonly string[];
  /** Whether the run came to its end by itself. */
  readonly complete: boolean;
}

const STOP_BOUND_MS = 15_000;

/** Sets the stage, plays, and takes everything down again, whatever happens on the way. */
export async function runDemo(
  options: DemoOptions,
  parts: { readonly screen: Screen; readonly interrupt: Interrupt; readonly version: string },
): Promise<DemoResult> {
  const { screen, interrupt, version } = parts;
  const { signal } = interrupt;
  if (options.replay !== undefined) await checkReplayFile(options.replay);
  const stops = new StopList();
  const pids = new Set<number>();
  let complaints: string[] = [];
  let stage: Stage | undefined;
  let played: Played;
  try {
    stage = await setStage({
      vehicles: options.vehicles,
      stops,
      signal,
      onProgress: (line) => screen.progress(line),
    });
    for (const pid of stage.pids()) pids.add(pid);
    played = await new Play({ options, stage, stops, screen, version, signal }).run();
    for (const pid of stage.pids()) pids.add(pid);
  } finally {
    screen.progress('Stopping everything');
    complaints = await stops.run(STOP_BOUND_MS);
    for (const complaint of complaints) screen.progress(complaint);
  }
  const complete = !signal.aborted;
  const rows = reportRows({
    figures: played.figures,
    feed: played.feed,
    replay: played.replay,
    mismatches: played.mismatches?.length,
    compared: played.compared,
    nodesLost: played.nodesLost,
    complete,
    processesLeft: [...pids].filter(isAlive).length,
    foldersLeft: existsSync(stage.folder) ? 1 : 0,
  });
  return { rows, problems: [...played.problems, ...complaints], complete };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
