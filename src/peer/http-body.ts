import type { IncomingMessage } from 'node:http';
import { HttpProblem } from './http-problem.js';

/** Bytes of bodies that are being received at a time, all requests together. */
const RECEIVING_BYTES_MAX = 64 * 1_048_576;
/** How much of a body that is refused is thrown away, so that its sender gets to read why. */
const DISCARDED_BYTES_MAX = 64 * 1_048_576;

/** Receives bodies within a limit for each and one for all. */
export class BodyReader {
  #receivingBytes = 0;

  /**
   * @throws HttpProblem 413 for a body of more than `limitBytes`, 503 when too much is being received already, 400 when
   *   it ends too early
   */
  read(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      let heldBytes = 0;
      // Who says beforehand that it is too large need not be listened to.
      let problem = tooLarge(Number(request.headers['content-length'] ?? 0), limitBytes);
      const release = () => {
        this.#receivingBytes -= heldBytes;
        heldBytes = 0;
        chunks.length = 0;
      };
      const onData = (chunk: Buffer) => {
        bytes += chunk.length;
        problem ??= this.#problem(bytes, chunk.length, limitBytes);
        if (problem === undefined) {
          chunks.push(chunk);
          heldBytes += chunk.length;
          this.#receivingBytes += chunk.length;
          return;
        }
        release();
        if (bytes <= DISCARDED_BYTES_MAX) return;
        request.off('data', onData).pause();
        reject(problem);
      };
      request.on('data', onData);
      request.once('end', () => {
        if (problem === undefined) resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
        else reject(problem);
        release();
      });
      request.once('error', (error) => {
        release();
        reject(new HttpProblem(400, 'incomplete', `the body did not arrive: ${error.message}`, { cause: error }));
      });
    });
  }

  #problem(bytes: number, chunkBytes: number, limitBytes: number): HttpProblem | undefined {
    const problem = tooLarge(bytes, limitBytes);
    if (problem !== undefined) return problem;
    if (this.#receivingBytes + chunkBytes > RECEIVING_BYTES_MAX) {
      return overloadedProblem('too much is being received at once');
    }
    return undefined;
  }
}

/** What is wrong with a body of so many bytes; nothing, when it may be that large. */
export function tooLarge(bytes: number, limitBytes: number): HttpProblem | undefined {
  if (bytes <= limitBytes) return undefined;
  return new HttpProblem(413, 'too-large', `the body is larger than the ${limitBytes} bytes that are allowed`);
}

export function overloadedProblem(why: string): HttpProblem {
  return new HttpProblem(503, 'overloaded', `${why}: try again later`, { headers: { 'retry-after': '1' } });
}
