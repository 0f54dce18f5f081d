import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const program = fileURLToPath(new URL('./time-zones.ts', import.meta.url));
const fleetFolder = new URL('../../src/fleet/', import.meta.url);
/** What a `Date` says in the time zone of the machine. */
const LOCAL = /\.(get|set)(FullYear|Month|Date|Day|Hours|Minutes)\(|\.getTimezoneOffset\(|\.toLocale|\bIntl\./;

async function answersIn(zone: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', program], {
    env: { ...process.env, TZ: zone },
    timeout: 60_000,
  });
  return stdout.split('\n');
}

describe('the time zone of the machine', () => {
  it('makes no difference to calendar, goods-vehicle hours, e-way bills and lifetimes', async () => {
    const [utcOffset, ...utc] = await answersIn('UTC');
    const [kolkataOffset, ...kolkata] = await answersIn('Asia/Kolkata');
    const [losAngelesOffset, ...losAngeles] = await answersIn('America/Los_Angeles');
    expect([utcOffset, kolkataOffset, losAngelesOffset]).toEqual(['0', '-330', '480']);
    expect(utc.length).toBeGreaterThan(1_600);
    expect(kolkata).toEqual(utc);
    expect(losAngeles).toEqual(utc);
  }, 180_000);

  it('is not asked for anywhere in the fleet', async () => {
    for (const name of await readdir(fleetFolder)) {
      if (name.endsWith('.test.ts')) continue;
      expect(await readFile(new URL(name, fleetFolder), 'utf8'), name).not.toMatch(LOCAL);
    }
  });
});
