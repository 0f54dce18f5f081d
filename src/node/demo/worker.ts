import { toError } from '../../core/errors.js';
import { DemoNode } from './demo-node.js';
import type { NodeAnswers, NodeCall, NodeMessage, NodeRequest } from './protocol.js';

/** One node of the demo, in a process of its own, that does what the demo's process tells it over the channel. */

/** What is under way gets this long to end when the demo has gone without saying stop. */
const ORPHAN_BOUND_MS = 5_000;

let node: DemoNode | undefined;

function tell(message: NodeMessage): void {
  // The one who would have to be told that this fails is the one who is gone.
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}

async function answer(request: NodeRequest): Promise<NodeAnswers[NodeRequest['kind']]> {
  if (request.kind !== 'start') {
    if (node === undefined) throw new Error(`was asked for '${request.kind}' before 'start'`);
    return node.answer(request);
  }
  if (node !== undefined) throw new Error('was started twice');
  node = await DemoNode.start(request.config);
  return { nodeId: node.nodeId };
}

async function take({ id, request }: NodeCall): Promise<void> {
  try {
    tell({ kind: 'answer', id, answer: await answer(request) });
  } catch (thrown) {
    tell({ kind: 'failure', id, error: toError(thrown).message });
  }
  // The channel keeps the process alive; without it, it ends as soon as nothing is left to do.
  if (request.kind === 'stop') process.disconnect();
}

async function leave(): Promise<void> {
  setTimeout(() => process.exit(1), ORPHAN_BOUND_MS).unref();
  await node?.stop();
  process.exit();
}

process.on('SIGTERM', () => void leave());
process.on('disconnect', () => void leave());
process.on('message', (call: NodeCall) => void take(call));
