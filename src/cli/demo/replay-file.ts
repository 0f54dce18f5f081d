import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';

/** One line of a replay file: a position as a tracker reported it. */
export interface ReplayPing {
  /** Number plate. */
  readonly v: string;
  /** Time of the device, in ms since the epoch. */
  readonly t: number;
  readonly lat: number;
  readonly lon: number;
  readonly kmh: number;
  readonly ign: boolean;
}

/** What is wrong with a line, beginning with file and line number. */
export type BadLine = (complaint: string) => void;

const GZIP_MAGIC = [0x1f, 0x8b];
/** A ping takes a hundred bytes; a longer line is not one. */
const LINE_MAX_CHARS = 4_096;
const PLATE_MAX_CHARS = 64;
/** No control characters: a plate is shown on terminals. */
const PLATE = /^\P{Cc}{1,64}$/u;
const SHOWN_CHARS = 60;

/** @throws when there is no such file, or it cannot be read */
export async function checkReplayFile(path: string): Promise<void> {
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    throw new Error(`--replay: ${path} cannot be read (${cause.code ?? cause.message})`, { cause });
  });
  if (!found.isFile()) throw new Error(`--replay: ${path} is not a file`);
}

/**
 * Reads a file of pings, one JSON object a line, plain or compressed with gzip, without ever holding more than a few
 * lines. Lines that are none are told to `onBad` and passed over.
 * @throws when the file cannot be read, or its compression is damaged; the message names file and line
 */
export async function* readReplayFile(path: string, onBad: BadLine, signal?: AbortSignal): AsyncGenerator<ReplayPing> {
  let line = 0;
  try {
    for await (const text of readLines(path, signal)) {
      line += 1;
      if (text.trim() === '') continue;
      const ping = parsePing(text);
      if (typeof ping === 'string') onBad(`${path}:${line}: ${ping}`);
      else yield ping;
    }
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Error(`${path}:${line + 1}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}

/** The ping of a line, or what is wrong with it. */
export function parsePing(text: string): ReplayPing | string {
  if (text.length > LINE_MAX_CHARS) return `longer than ${LINE_MAX_CHARS} characters`;
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    return `not JSON: ${shown(text)}`;
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return `not an object: ${shown(text)}`;
  const { v, t, lat, lon, kmh, ign } = given as Partial<Record<string, unknown>>;
  if (typeof v !== 'string' || !PLATE.test(v)) {
    return `v must be a plate of 1 to ${PLATE_MAX_CHARS} characters, got ${shown(v)}`;
  }
  if (!Number.isSafeInteger(t) || Number(t) < 0) return `t must be a whole number of ms since 1970, got ${shown(t)}`;
  if (!isNumber(lat)) return `lat must be a number, got ${shown(lat)}`;
  if (!isNumber(lon)) return `lon must be a number, got ${shown(lon)}`;
  if (!isNumber(kmh)) return `kmh must be a number, got ${shown(kmh)}`;
  const isOn = ign === 1 || ign === true;
  if (!isOn && ign !== 0 && ign !== false) return `ign must be 0 or 1, got ${shown(ign)}`;
  return { v, t: Number(t), lat, lon, kmh, ign: isOn };
}

async function* readLines(path: string, signal: AbortSignal | undefined): AsyncGenerator<string> {
  const file = createReadStream(path, { ...(signal === undefined ? {} : { signal }) });
  const content = (await isGzip(path)) ? file.pipe(createGunzip()) : file;
  // `pipe` does not pass errors on.
  if (content !== file) file.on('error', (error) => content.destroy(error));
  content.setEncoding('utf8');
  let rest = '';
  try {
    for await (const chunk of content as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
      // Enough to tell that it is too long, and no more.
      if (rest.length > LINE_MAX_CHARS) rest = rest.slice(0, LINE_MAX_CHARS + 1);
    }
    if (rest !== '') yield rest;
  } finally {
    file.destroy();
  }
}

/** By what it begins with: names lie. */
async function isGzip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(GZIP_MAGIC.length), 0, GZIP_MAGIC.length, 0);
    return bytesRead === GZIP_MAGIC.length && GZIP_MAGIC.every((byte, i) => buffer[i] === byte);
  } finally {
    await file.close();
  }
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function shown(value: unknown): string {
  // As JSON, for what is shown on a terminal must not steer it.
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}...` : text;
}
