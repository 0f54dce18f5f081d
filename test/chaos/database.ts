/** The database goes away under load, for a minute, and comes back. */
import { setTimeout as sleep } from 'node:timers/promises';
import { boundedRow, OURS, type Row } from '../../bench/row.js';
import { findFreePort } from '../../src/cli/servers/free-port.js';
import { waitUntil } from '../../src/cli/servers/wait.js';
import { TcpProxy } from '../coherence/tcp-proxy.js';
import { type FleetEffort, FleetStage, readsBetween } from './fleet-stage.js';

export interface DatabaseEffort extends FleetEffort {
  readonly downMs: number;
}

export const FULL: DatabaseEffort = {
  vehicles: 20_000,
  readsPerSecond: 3_000,
  calmMs: 20_000,
  afterMs: 30_000,
  downMs: 60_000,
};
export const QUICK: DatabaseEffort = {
  vehicles: 300,
  readsPerSecond: 200,
  calmMs: 3_000,
  afterMs: 3_000,
  downMs: 5_000,
};

/**
 * Each node may have six connections to the database (the demo's) and one to follow its changes, or to wait for its turn to;
 * who reads them has one more.
 */
const CONNECTIONS_MAX = 3 * (6 + 1) + 1;
const ACKNOWLEDGED_MS = 1_000;
/** After the database is back, everything that waited has been acknowledged. */
const RECOVERED_S = 30;
const RECOVERY_BOUND_MS = 120_000;

export async function playDatabase(effort: DatabaseEffort, seed: number, say: (text: string) => void): Promise<Row[]> {
  let proxy: TcpProxy | undefined;
  const city = await FleetStage.open(effort, seed, say, async (given) => {
    const url = new URL(given);
    const to = { host: url.hostname, port: Number(url.port) };
    proxy = await TcpProxy.start({ host: '127.0.0.1', port: await findFreePort() }, to);
    url.host = `${proxy.address.host}:${proxy.address.port}`;
    return url.href;
  });
  try {
    const between = proxy as TcpProxy;
    const { feed } = city;
    await city.play();
    await sleep(effort.calmMs);
    const begun = await city.samples();
    await sleep(effort.calmMs);
    const calm = readsBetween(begun, await city.samples());
    feed.takeRefusals();
    say(`calm: ${calm.asked} questions`);

    const downAt = await city.samples();
    const connectsBefore = between.accepted;
    between.refuseFrom(undefined);
    // The word that something was saved may still be on its way.
    await sleep(ACKNOWLEDGED_MS);
    const acknowledgedBefore = feed.acknowledged;
    await sleep(effort.downMs);
    const down = readsBetween(downAt, await city.samples());
    const acknowledgedDown = feed.acknowledged - acknowledgedBefore;
    const connects = between.accepted - connectsBefore;
    const refusals = feed.takeRefusals();
    say(`down: ${down.asked} questions, ${feed.waiting} positions wait`);

    between.accept();
    const backMs = performance.now();
    let most = 0;
    await waitUntil({ what: 'everything that waited to be acknowledged', boundMs: RECOVERY_BOUND_MS }, () => {
      most = Math.max(most, between.open);
      return feed.waiting < effort.vehicles / 100;
    });
    const recoveredS = (performance.now() - backMs) / 1_000;
    const backAt = await city.samples();
    await sleep(effort.afterMs);
    const after = readsBetween(backAt, await city.samples());
    await city.stopReading();
    await feed.stop();

    const row = (id: string, value: number, unit: string, note?: string): Row => ({
      section: 'database',
      id: `database.${id}`,
      subject: OURS,
      value,
      unit,
      better: 'lower',
      ...(note !== undefined && { note }),
    });
    const exact = (one: Row): Row => ({ ...boundedRow({ ...one, bound: 0 }), exact: true });
    const p99 = ({ latencies }: typeof calm) => latencies.quantile(0.99) ?? Number.NaN;
    return [
      { ...row('asked', down.asked, 'questions', 'while the database is away'), better: 'higher' },
      exact(row('failed', down.failed - down.failedCold, 'questions', 'that had been answered before')),
      row(
        'failed.cold',
        down.failedCold,
        'questions',
        `that nobody had asked of their node before; ${down.firstError}`,
      ),
      row('stale', down.stale, 'reads', 'answered with a stale entry meanwhile'),
      row('p99.calm', p99(calm), 'ms'),
      row('p99', p99(down), 'ms', 'while the database is away'),
      row('p99.after', p99(after), 'ms'),
      exact(row('acknowledged', acknowledgedDown, 'positions', 'by nodes whose database is away')),
      { ...row('refused', refusals.count, 'batches', refusals.first), better: 'higher' },
      row('connects', connects / (effort.downMs / 1_000), '/s', 'tries to connect, of three nodes together'),
      boundedRow({
        ...row('connections', most, 'connections', 'at most at a time, when it is back'),
        bound: CONNECTIONS_MAX,
      }),
      boundedRow({ ...row('recovered', recoveredS, 's', 'nobody waits any more'), bound: RECOVERED_S }),
      exact(row('failed.after', after.failed - after.failedCold, 'questions', 'that had been answered before')),
      exact(row('wrong', await city.mismatches(), 'vehicles', 'shown elsewhere than they were last, on any node')),
    ];
  } finally {
    await city.stop();
    await proxy?.close();
  }
}
