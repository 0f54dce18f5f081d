import type { GossipReply, GossipRequest } from '../../src/peer/gossip.js';
import type { MemberRecord } from '../../src/peer/member.js';
import type { Gossiped } from '../../src/peer/transport.js';

const asker: MemberRecord = {
  id: 'feedfeedfeed',
  address: '127.0.0.1:9',
  weight: 1,
  rack: 'a',
  status: 'up',
  incarnation: 7,
  buried: 0,
  leaving: false,
  degraded: false,
  settled: '',
};
export const QUESTION: Gossiped<GossipRequest> = {
  floors: 'cd.3',
  message: { kind: 'relay', from: asker, digest: 'abc', records: [], target: '127.0.0.1:8' },
};
export const ANSWER: GossipReply = {
  kind: 'nack',
  from: { ...asker, id: '0000000000ab', address: '127.0.0.1:1' },
  digest: 'def',
  records: [{ ...asker, id: '0000000000cd', status: 'suspect', accuser: 'feedfeedfeed' }],
};
