import { setTimeout as sleep } from 'node:timers/promises';
import type { DemoDatabase } from '../../node/demo/demo-database.js';
import type { FoundRecords } from '../../node/demo/protocol.js';

/** A node, as far as it is asked what it shows. */
export interface RecordReader {
  readonly name: string;
  describe(vehicleIds: readonly string[]): Promise<readonly FoundRecords[]>;
}

export interface ForeignWrites {
  /** Rows that were changed. */
  readonly rows: number;
  /** Rows that a node did not show as they are, within the bound; each node counts. */
  readonly unseen: number;
  /** From the commit until every node had shown all of them; undefined when one did not. */
  readonly seenAfterMs: number | undefined;
  /** Of the nodes that did not. */
  readonly blind: readonly string[];
}

const AGAIN_MS = 10;
/** No vehicle has driven so far. */
const ODOMETER_KM = 9_999_999;
const MODEL = 'as somebody else wrote it';

/**
 * Changes rows as somebody would who knows nothing of the cache, with SQL, and looks at every node until it shows them.
 * Each has the rows in the cache before, as they were.
 */
export async function writeAsForeigner(
  database: Pick<DemoDatabase, 'changeRows'>,
  nodes: readonly RecordReader[],
  vehicleIds: readonly string[],
  boundMs: number,
): Promise<ForeignWrites> {
  await Promise.all(nodes.map((node) => node.describe(vehicleIds).catch(() => [])));
  const rows = await database.changeRows(vehicleIds, { odometerKm: ODOMETER_KM, model: MODEL });
  const committedMs = performance.now();
  const watched = await Promise.all(
    nodes.map(async (node) => {
      for (;;) {
        const unseen = rows - countNew(await node.describe(vehicleIds).catch(() => []));
        const afterMs = performance.now() - committedMs;
        if (unseen === 0 || afterMs >= boundMs) return { name: node.name, unseen, afterMs };
        await sleep(AGAIN_MS);
      }
    }),
  );
  const unseen = watched.reduce((sum, one) => sum + one.unseen, 0);
  return {
    rows,
    unseen,
    seenAfterMs: unseen === 0 ? Math.max(...watched.map(({ afterMs }) => afterMs)) : undefined,
    blind: watched.filter((one) => one.unseen > 0).map(({ name }) => name),
  };
}

function countNew(found: readonly FoundRecords[]): number {
  return found.reduce(
    (sum, { model, odometerKm }) => sum + (model === MODEL ? 1 : 0) + (odometerKm === ODOMETER_KM ? 1 : 0),
    0,
  );
}
