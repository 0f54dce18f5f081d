import { type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CacheError, toError } from '../core/errors.js';
import { frameOf, HEAD_BYTES, RECORD_MAX_BYTES, readFrames } from './journal-frames.js';

/** A file is given up for the next one at this size: what was taken from a whole file needs no room any more. */
const SEGMENT_BYTES = 4_194_304;
/** Records that are written and made durable together, at most. */
const WRITE_RECORDS = 1_000;
/** Read at once: as much as a longest record takes. */
const READ_BYTES = RECORD_MAX_BYTES + HEAD_BYTES;
const SEGMENT_FORM = /^\d{12}\.journal$/;

export interface JournalOptions {
  /** Its own: no other process may have it open. Made if it is not there. */
  readonly directory: string;
  /** Most bytes on disk. */
  readonly bytesMax: number;
}

interface Segment {
  readonly number: number;
  readonly path: string;
  /** Bytes that are surely on disk. */
  bytes: number;
}

interface Waiting {
  readonly frame: Buffer;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * A queue of records that outlives the process: appended to files, read in the order in which they were appended, and
 * removed with their file when all of it has been taken. Records that come while a write is under way are written and
 * made durable together.
 *
 * What was appended is there after a crash, of the process or of the machine. A record whose append was not answered
 * may be there or not; one that is there in part is cut off when the journal is opened. What was read and not yet taken
 * with its whole file is read again then: at least once, not exactly once.
 *
 * After a write or a sync has failed nothing is known of what is on disk: nothing more is appended until it is opened anew.
 */
export class Journal {
  readonly #options: JournalOptions;
  readonly #segments: Segment[];
  #nextNumber: number;
  #handle: FileHandle | undefined;
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #flushing: Promise<void> | undefined;
  #broken: CacheError | undefined;
  /** Where in the first segment the next read begins, and where the one before it ended. */
  #taken = 0;
  #read = 0;

  private constructor(options: JournalOptions, segments: Segment[]) {
    this.#options = options;
    this.#segments = segments;
    this.#nextNumber = (segments.at(-1)?.number ?? 0) + 1;
  }

  /**
   * @throws CacheError `corrupt-entry` naming the file when something in the middle is not as it was written;
   *   `level-failed` when the directory cannot be used
   */
  static async open(options: JournalOptions): Promise<Journal> {
    try {
      await mkdir(options.directory, { recursive: true });
      const names = (await readdir(options.directory)).filter((name) => SEGMENT_FORM.test(name)).sort();
      const segments: Segment[] = [];
      for (const name of names) {
        const isLast = name === names.at(-1);
        const path = join(options.directory, name);
        const bytes = await checkSegment(path, isLast);
        if (bytes > 0) segments.push({ number: Number.parseInt(name, 10), path, bytes });
        else await rm(path);
      }
      return new Journal(options, segments);
    } catch (thrown) {
      if (thrown instanceof CacheError) throw thrown;
      throw unusable(options.directory, thrown);
    }
  }

  /** Bytes on disk, with those of the files of which a part was taken already. */
  get sizeBytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Whether there is anything to be read. */
  get isEmpty(): boolean {
    const [first] = this.#segments;
    return first === undefined || (this.#segments.length === 1 && this.#taken >= first.bytes);
  }

  /**
   * Resolves when the record is on disk.
   * @throws CacheError `overloaded` at the limit of bytes; `invalid-value` for a record of more than 4 MiB;
   *   `level-failed` when the disk fails, and ever after
   */
  append(record: Uint8Array): Promise<void> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken);
    if (record.byteLength > RECORD_MAX_BYTES) {
      const message = `a record of ${record.byteLength} bytes is longer than ${RECORD_MAX_BYTES}: give less at a time`;
      return Promise.reject(new CacheError('invalid-value', message));
    }
    const { directory, bytesMax } = this.#options;
    const frame = frameOf(record);
    const sizeBytes = this.sizeBytes + this.#waitingBytes;
    if (sizeBytes + frame.byteLength > bytesMax) {
      const message = `the journal in ${directory} has ${sizeBytes} of ${bytesMax} bytes, which the database has not taken yet: send these again later`;
      return Promise.reject(new CacheError('overloaded', message));
    }
    this.#waitingBytes += frame.byteLength;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ frame, resolve, reject });
      this.#flushing ??= this.#flush();
    });
  }

  /** The next records, at most so many; the same ones again until they are taken. */
  async read(recordsMax: number): Promise<readonly Buffer[]> {
    await this.#removeTaken();
    const [first] = this.#segments;
    if (first === undefined || this.#taken >= first.bytes) return [];
    const handle = await open(first.path, 'r');
    try {
      const length = Math.min(first.bytes - this.#taken, READ_BYTES);
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(length), 0, length, this.#taken);
      const { records, end } = readFrames(buffer.subarray(0, bytesRead), recordsMax);
      if (records.length === 0) throw damaged(first.path, this.#taken);
      this.#read = this.#taken + end;
      return records;
    } finally {
      await handle.close();
    }
  }

  /** Those that were read last are not needed any more. */
  async take(): Promise<void> {
    this.#taken = this.#read;
    await this.#removeTaken();
  }

  /** What was appended is on disk then; what has all been taken leaves nothing behind. */
  async close(): Promise<void> {
    await this.#flushing;
    this.#broken ??= new CacheError('closed', 'the journal is closed');
    await this.#handle?.close();
    this.#handle = undefined;
    if (this.isEmpty) await Promise.all(this.#segments.splice(0).map(({ path }) => rm(path, { force: true })));
  }

  /** The first file, when all of it was taken and nothing more is written to it. */
  async #removeTaken(): Promise<void> {
    const [first, second] = this.#segments;
    const isWritten = second === undefined && this.#handle !== undefined;
    if (first === undefined || this.#taken < first.bytes || isWritten) return;
    this.#segments.shift();
    this.#taken = 0;
    this.#read = 0;
    await rm(first.path, { force: true });
  }

  async #flush(): Promise<void> {
    // Those of the same turn come along.
    await Promise.resolve();
    while (this.#waiting.length > 0 && this.#broken === undefined) {
      const batch = this.#waiting.splice(0, WRITE_RECORDS);
      try {
        await this.#write(Buffer.concat(batch.map(({ frame }) => frame)));
        for (const { resolve } of batch) resolve();
      } catch (thrown) {
        const message = `the journal in ${this.#options.directory} cannot be written: ${toError(thrown).message}; nothing more is taken in until it is opened anew`;
        this.#broken = new CacheError('level-failed', message, { cause: thrown });
        for (const { reject } of [...batch, ...this.#waiting.splice(0)]) reject(this.#broken);
      }
    }
    this.#flushing = undefined;
  }

  async #write(bytes: Buffer): Promise<void> {
    const segment = await this.#segmentToWrite();
    const handle = this.#handle as FileHandle;
    for (let written = 0; written < bytes.byteLength; ) {
      const rest = bytes.byteLength - written;
      written += (await handle.write(bytes, written, rest, segment.bytes + written)).bytesWritten;
    }
    await handle.datasync();
    segment.bytes += bytes.byteLength;
    this.#waitingBytes -= bytes.byteLength;
  }

  async #segmentToWrite(): Promise<Segment> {
    const last = this.#segments.at(-1);
    if (this.#handle !== undefined && last !== undefined && last.bytes < SEGMENT_BYTES) return last;
    await this.#handle?.close();
    this.#handle = undefined;
    const number = this.#nextNumber;
    const path = join(this.#options.directory, `${String(number).padStart(12, '0')}.journal`);
    this.#handle = await open(path, 'wx');
    this.#nextNumber = number + 1;
    await syncDirectory(this.#options.directory);
    const segment = { number, path, bytes: 0 };
    this.#segments.push(segment);
    return segment;
  }
}

/** The name of a new file is durable when its directory is. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** @returns how many of its bytes are whole records; of the last file the rest is cut off, in another one it is an error */
async function checkSegment(path: string, isLast: boolean): Promise<number> {
  const handle = await open(path, 'r+');
  try {
    const bytes = await handle.readFile();
    const { end } = readFrames(bytes);
    if (end === bytes.byteLength) return end;
    if (!isLast) throw damaged(path, end);
    await handle.truncate(end);
    await handle.sync();
    return end;
  } finally {
    await handle.close();
  }
}

function unusable(directory: string, cause: unknown): CacheError {
  return new CacheError('level-failed', `the journal in ${directory} cannot be opened: ${toError(cause).message}`, {
    cause,
  });
}

function damaged(path: string, at: number): CacheError {
  return new CacheError(
    'corrupt-entry',
    `${path} is damaged at byte ${at}: what follows cannot be read. Move the file elsewhere to go on without it`,
  );
}
