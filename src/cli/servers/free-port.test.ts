import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { findFreePort, findFreePorts } from './free-port.js';

function listen(port: number): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(() => server.close()));
  });
}

describe('findFreePorts', () => {
  it('gives different ports on which a server can listen', async () => {
    const ports = await findFreePorts(20);
    expect(new Set(ports).size).toBe(20);
    const closers = await Promise.all(ports.map(listen));
    expect(closers).toHaveLength(20);
    for (const close of closers) close();
  });

  it('never gives the same port to two callers', async () => {
    const batches = await Promise.all(Array.from({ length: 10 }, () => findFreePorts(10)));
    expect(new Set(batches.flat()).size).toBe(100);
  });

  it('stays below the ports that outgoing connections take', async () => {
    for (const port of await findFreePorts(50)) {
      expect(port).toBeGreaterThanOrEqual(10_000);
      expect(port).toBeLessThan(32_768);
    }
  });

  it('does not give a port that is in use', async () => {
    const port = await findFreePort();
    const close = await listen(port);
    await expect(listen(port)).rejects.toThrow('EADDRINUSE');
    expect(await findFreePorts(50)).not.toContain(port);
    close();
  });
});
