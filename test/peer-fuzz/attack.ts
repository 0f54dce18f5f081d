import { connect, type Socket } from 'node:net';
import { Dice } from './dice.js';
import { type FuzzRequest, requestOf } from './requests.js';

export interface Attack {
  /** `host:port` of the node. */
  readonly address: string;
  readonly requests: number;
  readonly seed: number;
}

export interface Outcome {
  /** How often each status came; `none` where the connection ended without an answer. */
  readonly statuses: ReadonlyMap<string, number>;
  /** What must not happen, each with the seed and the number of its request. */
  readonly failures: readonly string[];
  readonly rssGrowthBytes: number;
}

const AT_ONCE = 16;
/** After as many requests a connection comes from another address, each of which may be refused often. */
const PER_CONNECTION = 40;
const ADDRESSES = 250;
const ANSWER_MAX_MS = 30_000;
const FAILURES_MAX = 20;
/** An owner that a forged message named does not answer; nothing else makes a node say that it cannot. */
const UNAVAILABLE = /"code":"(?:unavailable|overloaded)"/;

/** Sends random and malformed requests; the same seed sends the same, but for times and nonces. */
export async function attack({ address, requests, seed }: Attack): Promise<Outcome> {
  const statuses = new Map<string, number>();
  const failures: string[] = [];
  const startBytes = process.memoryUsage().rss;
  let peakBytes = startBytes;
  let next = 0;
  const worker = async (): Promise<void> => {
    let line: Line | undefined;
    let last: Buffer | undefined;
    while (next < requests && failures.length < FAILURES_MAX) {
      const number = next++;
      const request = requestOf(new Dice(seed + Math.imul(number, 0x9e3779b1)), address, last);
      if (line === undefined || line.isOver || line.asked >= PER_CONNECTION) {
        line?.close();
        line = new Line(address, `127.0.0.${2 + (number % ADDRESSES)}`);
      }
      const said = await line.ask(request);
      const status = /^HTTP\/1\.1 (\d{3}) /.exec(said)?.[1] ?? 'none';
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      const isWrong = said === TOO_LATE || (status >= '500' && status < '600' && !UNAVAILABLE.test(said));
      if (isWrong) failures.push(`request ${number} of seed ${seed} (${request.what}): ${said.slice(0, 300)}`);
      if (request.isWhole && request.what === 'key') last = request.bytes;
      if (number % 500 === 0) peakBytes = Math.max(peakBytes, process.memoryUsage().rss);
    }
    line?.close();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return { statuses, failures, rssGrowthBytes: peakBytes - startBytes };
}

const TOO_LATE = 'no answer, and no end of the connection';

/** A connection, on which one request after the other is sent. */
class Line {
  asked = 0;
  isOver = false;
  readonly #socket: Socket;
  #said = '';
  #wake: () => void = () => {};

  constructor(address: string, localAddress: string) {
    const [host = '', port = ''] = address.split(':');
    this.#socket = connect({ host, port: Number(port), localAddress, allowHalfOpen: true });
    this.#socket.on('data', (chunk) => {
      this.#said += chunk.toString('latin1');
      this.#wake();
    });
    this.#socket.on('error', () => {});
    this.#socket.on('end', () => this.#end());
    this.#socket.on('close', () => this.#end());
  }

  /** Everything that comes back until the answer is whole, or the connection ends. */
  ask({ bytes, isWhole }: FuzzRequest): Promise<string> {
    this.asked += 1;
    this.#said = '';
    const isHead = bytes.toString('latin1', 0, 5) === 'HEAD ';
    return new Promise((resolve) => {
      const tooLate = setTimeout(() => {
        this.close();
        resolve(TOO_LATE);
      }, ANSWER_MAX_MS);
      this.#wake = () => {
        if (!this.isOver && !(isWhole && isAnswered(this.#said, isHead))) return;
        clearTimeout(tooLate);
        this.#wake = () => {};
        if (/^connection: close/im.test(this.#said)) this.close();
        resolve(this.#said);
      };
      if (this.isOver) {
        this.#wake();
        return;
      }
      if (isWhole) this.#socket.write(bytes);
      else this.#socket.end(bytes);
    });
  }

  close(): void {
    this.isOver = true;
    this.#socket.destroy();
  }

  #end(): void {
    this.isOver = true;
    this.#socket.destroy();
    this.#wake();
  }
}

function isAnswered(said: string, isHead: boolean): boolean {
  const headEnd = said.indexOf('\r\n\r\n');
  if (headEnd === -1) return false;
  const head = said.slice(0, headEnd);
  if (/^HTTP\/1\.1 100 /.test(head)) return isAnswered(said.slice(headEnd + 4), isHead);
  // Says how long a body would be that it does not have.
  if (isHead) return true;
  const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
  return said.length >= headEnd + 4 + length;
}
