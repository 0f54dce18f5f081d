import { describe, expect, it } from 'vitest';
import type { LevelState } from '../../src/core/cache.js';
import { LevelHistory } from '../../src/node/demo/level-history.js';

const l2 = (state: LevelState, ...out: string[]) => [{ level: 'distributed', state, out }] as const;

describe('the history of the levels', () => {
  const start = () => {
    const log: string[] = [];
    return { log, history: new LevelHistory((text) => log.push(text)) };
  };

  it('tells when a level goes out and when it is back, once for all nodes', () => {
    const { log, history } = start();
    history.take('node-1', l2('ok'), 1_000);
    history.take('node-2', l2('ok'), 1_000);
    history.take('node-1', l2('degraded', 'a:1'), 2_000);
    history.take('node-2', l2('degraded', 'a:1'), 2_100);
    expect(history.states()).toEqual({ distributed: { state: 'degraded', sinceMs: 2_000 } });
    expect(history.outOf('distributed')).toEqual(['a:1']);
    history.take('node-1', l2('ok'), 4_000);
    history.take('node-2', l2('ok'), 5_500);
    expect(log).toEqual(['L2 distributed is degraded: no answer from a:1', 'L2 distributed is back after 3.5 s']);
    expect(history.outOf('distributed')).toEqual([]);
  });

  it('calls a level out only when no node reaches any of it', () => {
    const { history } = start();
    history.take('node-1', l2('out', 'a:1'), 1_000);
    expect(history.states().distributed?.state).toBe('out');
    history.take('node-2', l2('ok'), 1_000);
    expect(history.states().distributed?.state).toBe('degraded');
  });

  it('no longer asks a node that has ended', () => {
    const { history } = start();
    history.take('node-1', l2('out', 'a:1'), 1_000);
    history.take('node-2', l2('ok'), 1_000);
    history.forget('node-1', 2_000);
    expect(history.states()).toEqual({ distributed: { state: 'ok', sinceMs: 2_000 } });
  });
});
