/**
 * A plain request and reply over TCP, as the measure of what a transport of one's own could have: frames of a length, a
 * number and a body, many under way on one connection, and one write for all frames of a turn of the event loop.
 * It knows no errors, no authentication and no time limits.
 */
import type { Socket } from 'node:net';

const HEAD_BYTES = 8;
const COUNT_BYTES = 4;

/** Calls `take` for each whole frame that comes. The body is only good during the call. */
export function receiveFrames(socket: Socket, take: (id: number, body: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (bytes.length - at >= HEAD_BYTES) {
      const end = at + HEAD_BYTES + bytes.readUInt32LE(at);
      if (end > bytes.length) break;
      take(bytes.readUInt32LE(at + 4), bytes.subarray(at + HEAD_BYTES, end));
      at = end;
    }
    rest = bytes.subarray(at);
  });
}

/** Collects the frames of one turn into one write. */
export class FrameWriter {
  readonly #socket: Socket;
  #waiting: Buffer[] = [];

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  send(id: number, parts: readonly Buffer[]): void {
    const frame = encodeFrame(id, parts);
    if (this.#waiting.push(frame) > 1) return;
    setImmediate(() => {
      this.#socket.write(this.#waiting.length === 1 ? frame : Buffer.concat(this.#waiting));
      this.#waiting = [];
    });
  }
}

function encodeFrame(id: number, parts: readonly Buffer[]): Buffer {
  const bodyBytes = parts.reduce((sum, part) => sum + COUNT_BYTES + part.length, 0);
  const frame = Buffer.allocUnsafe(HEAD_BYTES + bodyBytes);
  frame.writeUInt32LE(bodyBytes, 0);
  frame.writeUInt32LE(id, 4);
  let at = HEAD_BYTES;
  for (const part of parts) {
    at = frame.writeUInt32LE(part.length, at);
    at += part.copy(frame, at);
  }
  return frame;
}

export function decodeParts(body: Buffer): string[] {
  const parts: string[] = [];
  let at = 0;
  while (at < body.length) {
    const from = at + COUNT_BYTES;
    at = from + body.readUInt32LE(at);
    parts.push(body.toString('latin1', from, at));
  }
  return parts;
}
