import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Journal } from '../../src/source/journal.js';

const MIB = 1_048_576;

let directory: string;
const opened: Journal[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'journal-'));
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((journal) => journal.close()));
  await rm(directory, { recursive: true, force: true });
});

async function openJournal(bytesMax = 64 * MIB): Promise<Journal> {
  const journal = await Journal.open({ directory, bytesMax });
  opened.push(journal);
  return journal;
}

const append = (journal: Journal, ...records: string[]) =>
  Promise.all(records.map((record) => journal.append(Buffer.from(record))));

/** Everything that is in it, in order, without taking more than the last read away at a time. */
async function drain(journal: Journal): Promise<string[]> {
  const all: string[] = [];
  for (;;) {
    const records = await journal.read(3);
    if (records.length === 0) return all;
    all.push(...records.map(String));
    await journal.take();
  }
}

const files = async () => (await readdir(directory)).sort();
const lastFile = async () => join(directory, (await files()).at(-1) as string);

describe('a journal', () => {
  it('gives back what was appended in its order, the same again until it is taken', async () => {
    const journal = await openJournal();
    expect(journal.isEmpty).toBe(true);
    await append(journal, 'one', '', 'three', 'four');
    expect((await journal.read(2)).map(String)).toEqual(['one', '']);
    expect((await journal.read(3)).map(String)).toEqual(['one', '', 'three']);
    await journal.take();
    await append(journal, 'five');
    expect(await drain(journal)).toEqual(['four', 'five']);
    expect(journal.isEmpty).toBe(true);
  });

  it('gives back after it was opened anew what was not taken, then what came since', async () => {
    const first = await openJournal();
    await append(first, 'one', 'two');
    await first.close();
    await expect(append(first, 'late')).rejects.toMatchObject({ code: 'closed' });
    const second = await openJournal();
    await append(second, 'three');
    await second.close();
    expect(await drain(await openJournal())).toEqual(['one', 'two', 'three']);
  });

  it('leaves no file behind when all was taken', async () => {
    const journal = await openJournal();
    await append(journal, 'one');
    await drain(journal);
    await journal.close();
    expect(await files()).toEqual([]);
  });

  it('removes each file when all of it was taken', async () => {
    const journal = await openJournal();
    const records = Array.from({ length: 20 }, (_, index) => `${index} ${'x'.repeat(MIB)}`);
    for (const record of records) await append(journal, record);
    expect((await files()).length).toBeGreaterThan(4);
    expect(await drain(journal)).toEqual(records);
    expect(await files()).toHaveLength(1);
    expect(journal.sizeBytes).toBeLessThan(5 * MIB);
  });

  it('refuses what is beyond its limit, and takes more when there is room again', async () => {
    const journal = await openJournal(16 * MIB);
    const record = 'x'.repeat(MIB);
    let taken = 0;
    const refused = async () => {
      for (; ; taken++) await append(journal, record);
    };
    await expect(refused()).rejects.toMatchObject({ code: 'overloaded', message: expect.stringMatching(/later/) });
    expect(taken).toBe(15);
    expect(await drain(journal)).toHaveLength(15);
    await append(journal, record);
    await expect(append(journal, 'x'.repeat(5 * MIB))).rejects.toMatchObject({ code: 'invalid-value' });
  });
});

describe('after a crash', () => {
  it('a record that is there in part is cut off, wherever it was torn, and the others are there', async () => {
    const journal = await openJournal();
    await append(journal, 'one', 'two');
    const whole = (await stat(await lastFile())).size;
    await append(journal, 'torn away');
    await journal.close();
    const bytes = await readFile(await lastFile());
    for (let length = whole; length < bytes.byteLength; length++) {
      await writeFile(await lastFile(), bytes.subarray(0, length));
      const again = await Journal.open({ directory, bytesMax: MIB });
      expect((await again.read(9)).map(String)).toEqual(['one', 'two']);
      expect((await stat(await lastFile())).size).toBe(whole);
      await again.close();
    }
  });

  it('bytes that are not what was written end the last file, and are an error in one before it', async () => {
    const journal = await openJournal();
    await append(journal, 'one', 'two');
    await journal.close();
    const damaged = await lastFile();
    const handle = await open(damaged, 'r+');
    await handle.write('X', 8 + 3 + 8);
    await handle.close();
    const second = await openJournal();
    await append(second, 'three');
    await second.close();
    expect(await drain(await openJournal())).toEqual(['one', 'three']);

    await append(await openJournal(), 'four');
    await writeFile(join(directory, '000000000000.journal'), Buffer.alloc(20));
    await expect(openJournal()).rejects.toMatchObject({
      code: 'corrupt-entry',
      message: expect.stringContaining('000000000000.journal is damaged at byte 0'),
    });
  });

  it('a tail of zeros, as some file systems leave it, is no record', async () => {
    const journal = await openJournal();
    await append(journal, 'one');
    await journal.close();
    await appendFile(await lastFile(), Buffer.alloc(4_096));
    expect(await drain(await openJournal())).toEqual(['one']);
  });

  it('everything that was answered is there when the process is killed in the middle of its work', async () => {
    const program = fileURLToPath(new URL('./journal-process.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', program, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const gone = once(child, 'exit');
    let answered = -1;
    for await (const line of createInterface({ input: child.stdout })) {
      answered = Math.max(answered, Number(line));
      // 3,000 records are more than a file.
      if (answered > 3_000) child.kill('SIGKILL');
    }
    await gone;
    const numbers = (await drain(await openJournal())).map((record) => Number.parseInt(record, 10));
    expect(numbers).toEqual(numbers.map((_, index) => index));
    expect(numbers.length).toBeGreaterThan(answered);
  }, 60_000);
});

it('takes nothing more in after a write has failed', async () => {
  const journal = await openJournal();
  await rm(directory, { recursive: true });
  await expect(append(journal, 'one')).rejects.toMatchObject({
    code: 'level-failed',
    message: expect.stringContaining('cannot be written'),
  });
  await mkdir(directory);
  await expect(append(journal, 'two')).rejects.toMatchObject({ code: 'level-failed' });
});

it('says what is wrong with a directory that cannot be used', async () => {
  const file = join(directory, 'file');
  await writeFile(file, '');
  await expect(Journal.open({ directory: file, bytesMax: MIB })).rejects.toMatchObject({
    code: 'level-failed',
    message: expect.stringContaining(file),
  });
});
