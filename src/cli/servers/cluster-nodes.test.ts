import { describe, expect, it } from 'vitest';
import { findPrimaryPorts, parseClusterNodes } from './cluster-nodes.js';

const before = [
  'aaa 127.0.0.1:7001@8001,,tls-port=0,shard-id=x myself,master - 0 0 1 connected 0-5460 [93->-ccc]',
  'bbb 127.0.0.1:7002@8002 master - 0 1426238316232 2 connected 5461-10922',
  'ccc 127.0.0.1:7003@8003 master - 0 1426238318243 3 connected',
  'ddd 127.0.0.1:7004@8004 slave aaa 0 1426238317741 1 disconnected',
  '',
].join('\n');

const after = [
  'aaa 127.0.0.1:7001@8001 master,fail - 1426238316232 1426238316232 1 disconnected',
  'bbb 127.0.0.1:7002@8002 master - 0 1426238316232 2 connected 5461-10922',
  'ccc 127.0.0.1:7003@8003 myself,master - 0 1426238318243 3 connected',
  'ddd 127.0.0.1:7004@8004 master - 0 1426238317741 7 connected 0-5460',
  '',
].join('\n');

describe('parseClusterNodes', () => {
  it('reads who is who', () => {
    const [a, , c, d] = parseClusterNodes(before);
    expect(a).toMatchObject({ id: 'aaa', port: 7001, role: 'primary', hasSlots: true, myself: true, configEpoch: 1 });
    expect(c).toMatchObject({ hasSlots: false, myself: false, linked: true });
    expect(d).toMatchObject({ port: 7004, role: 'replica', primaryId: 'aaa', healthy: true, linked: false });
  });

  it('knows that failed, suspected and half-met nodes are not healthy', () => {
    for (const flags of ['master,fail', 'slave,fail?', 'handshake', 'master,noaddr']) {
      expect(parseClusterNodes(`aaa 127.0.0.1:7001@8001 ${flags} - 0 0 1 connected 0-5460`)[0]?.healthy).toBe(false);
    }
  });
});

describe('findPrimaryPorts', () => {
  it('names the primaries that hold slots', () => {
    expect(findPrimaryPorts([before])).toEqual([7001, 7002]);
  });

  it('believes the node that has heard of the newest fail-over', () => {
    expect(findPrimaryPorts([before, after])).toEqual([7002, 7004]);
    expect(findPrimaryPorts([after, before])).toEqual([7002, 7004]);
  });
});
