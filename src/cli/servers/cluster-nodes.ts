/** One line of a node's answer to `CLUSTER NODES`: how that node sees one node. */
export interface ClusterNodeView {
  readonly id: string;
  readonly port: number;
  readonly role: 'primary' | 'replica';
  /** The id of its primary, if it is a replica. */
  readonly primaryId: string | undefined;
  readonly configEpoch: number;
  readonly hasSlots: boolean;
  /** Not failed or suspected of it, not being met, not without an address. */
  readonly healthy: boolean;
  /** The link from the node that answered to this one stands; its link to itself always does. */
  readonly linked: boolean;
  /** The node that answered. */
  readonly myself: boolean;
}

/** Reads `CLUSTER NODES`: `id ip:port@bus[,host] flags primary ping pong epoch link slot...` per line. */
export function parseClusterNodes(answer: string): ClusterNodeView[] {
  return answer
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [id = '', address = '', flagText = '', primary = '-', , , epoch = '', link = '', ...slots] =
        line.split(' ');
      const flags = flagText.split(',');
      return {
        id,
        port: Number(/:(\d+)/.exec(address)?.[1]),
        role: flags.includes('master') ? 'primary' : 'replica',
        primaryId: primary === '-' ? undefined : primary,
        configEpoch: Number(epoch),
        // `[slot->-node]` is a slot on the move, and no slot range of its own.
        hasSlots: slots.some((slot) => !slot.startsWith('[')),
        healthy: !flags.some((flag) => /^(fail\??|handshake|noaddr)$/.test(flag)),
        linked: link === 'connected',
        myself: flags.includes('myself'),
      };
    });
}

/**
 * The ports of the primaries, as the best informed of several nodes sees them. A fail-over gives the winner the
 * largest epoch, so a node that came back and has not heard of it yet is told from one that has.
 */
export function findPrimaryPorts(answers: readonly string[]): number[] {
  let best: ClusterNodeView[] = [];
  let bestEpoch = -1;
  for (const answer of answers) {
    const views = parseClusterNodes(answer);
    const epoch = Math.max(...views.map((view) => view.configEpoch));
    if (epoch > bestEpoch) [best, bestEpoch] = [views, epoch];
  }
  return best.filter((view) => view.role === 'primary' && view.hasSlots && view.healthy).map((view) => view.port);
}
