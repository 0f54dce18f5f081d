import type { ChangeFigures } from '../../src/node/demo/change-figures.js';
import type { PageData, PageLevel } from '../../src/node/page-data.js';

const RANGE = { hitRate: 0.25, p50Ms: 0.5, p99Ms: 12.4 };

export function levelOf(level: PageLevel['level'], change: Partial<PageLevel> = {}): PageLevel {
  return { level, state: 'ok', sinceMs: 0, hitsPerSecond: 1_234, now: RANGE, overall: RANGE, ...change };
}

export function pageOf(change: Partial<PageData> = {}): PageData {
  return {
    title: 'FleetFlow Cache demo',
    city: 'mumbai',
    uptimeMs: 42_000,
    nodes: [
      {
        name: 'node-1',
        address: '127.0.0.1:7946',
        ok: true,
        readsPerSecond: 2_000,
        entries: 4_000,
        sizeBytes: 2_097_152,
        members: null,
      },
    ],
    totals: {
      readsPerSecond: 6_042,
      writesPerSecond: 81.6,
      hitRate: 0.9756,
      databaseQueriesPer1000Reads: 7.21,
      reads: 100_000,
      failedReads: 0,
      staleServed: 0,
    },
    levels: [
      levelOf('local'),
      levelOf('distributed'),
      levelOf('peer'),
      levelOf('sister', { state: 'none' }),
      levelOf('source'),
    ],
    log: [],
    ...change,
  };
}

export function changesOf(change: Partial<ChangeFigures> = {}): ChangeFigures {
  return {
    reader: 'node-1',
    state: 'reading',
    transport: 'logical',
    whyOutbox: undefined,
    changes: 0,
    deleted: 0,
    deletedPatterns: 0,
    positions: 0,
    known: 0,
    startedOver: 0,
    reconnects: 0,
    lagBytes: undefined,
    lagRows: undefined,
    lagMs: undefined,
    serverKeepsBytes: undefined,
    lastError: undefined,
    ...change,
  };
}
