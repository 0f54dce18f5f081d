/** The process that keeps the values of L3. */
import type { PeerSubjectName } from '../subjects/peer-clients.js';
import { peerOwners } from '../subjects/peer-owners.js';

export interface PeerOwnerOptions {
  readonly subject: PeerSubjectName;
  readonly keys: number;
}

export async function open({ subject, keys }: PeerOwnerOptions) {
  const owner = await peerOwners[subject](keys);
  return {
    place: () => ({ address: owner.address, nodeId: owner.nodeId }),
    close: () => owner.close(),
  };
}
