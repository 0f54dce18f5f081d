import { existsSync } from 'node:fs';
import { DemoFigures } from '../../node/demo/demo-figures.js';
import { startHttpServer } from '../../node/http-server.js';
import { systemClock } from '../../node/system-clock.js';
import type { Interrupt } from '../interrupt.js';
import { findFreePorts } from '../servers/free-port.js';
import type { DemoOptions } from './demo-options.js';
import { Play, type Played } from './play.js';
import { checkReplayFile } from './replay-file.js';
import { type ReportRow, reportRows } from './report.js';
import type { Screen } from './screen.js';
import { DEMO_CITY, nodeName, type Stage, setStage } from './stage.js';
import { StopList } from './stop-list.js';

export interface DemoResult {
  readonly rows: readonly ReportRow[];
  readonly problems: readonly string[];
  /** Whether the run came to its end by itself. */
  readonly complete: boolean;
}

const NODES = 3;
const TITLE = 'FleetFlow Cache demo';
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
  const onProgress = (line: string) => screen.progress(line);
  const addresses = (await findFreePorts(NODES)).map((port) => `127.0.0.1:${port}`);
  const figures = new DemoFigures({
    title: TITLE,
    city: DEMO_CITY,
    nodes: addresses.map((address, i) => ({ name: nodeName(i), address })),
    clock: systemClock,
    onLog: ({ atMs, text }) => screen.log(atMs, text),
  });
  const pids = new Set<number>();
  let complaints: string[] = [];
  let stage: Stage | undefined;
  let played: Played;
  try {
    // Before all that takes its time: a port that is in use is known at once.
    const pageUrl = await openPage(figures, options.port, version, stops);
    onProgress(`The page is on ${pageUrl}`);
    stage = await setStage({ vehicles: options.vehicles, addresses, stops, signal, onProgress });
    for (const pid of stage.pids()) pids.add(pid);
    played = await new Play({ options, stage, figures, pageUrl, screen, signal }).run();
    for (const pid of stage.pids()) pids.add(pid);
  } finally {
    screen.leaveTable();
    screen.progress('Stopping everything');
    complaints = await stops.run(STOP_BOUND_MS);
    for (const complaint of complaints) screen.progress(complaint);
  }
  const complete = !signal.aborted;
  const rows = reportRows({
    figures,
    feed: played.feed,
    replay: played.replay,
    mismatches: played.mismatches?.length,
    compared: played.compared,
    foreign: played.foreign,
    nodesLost: played.nodesLost,
    complete,
    processesLeft: [...pids].filter(isAlive).length,
    foldersLeft: existsSync(stage.folder) ? 1 : 0,
  });
  return { rows, problems: [...played.problems, ...complaints], complete };
}

async function openPage(figures: DemoFigures, port: number, version: string, stops: StopList): Promise<string> {
  const server = await startHttpServer({
    port,
    field: '--port',
    clock: systemClock,
    source: {
      page: () => figures.page(),
      stats: () => figures.stats(),
      health: () => figures.health(),
      metricsText: () => figures.metricsText(version),
    },
  });
  stops.add('the page', () => server.close());
  return server.url;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
