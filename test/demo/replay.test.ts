import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Replay } from '../../src/cli/demo/feeds.js';
import { checkReplayFile, parsePing, type ReplayPing, readReplayFile } from '../../src/cli/demo/replay-file.js';
import { ReplayPace } from '../../src/cli/demo/replay-pace.js';
import type { PositionReport } from '../../src/node/demo/protocol.js';

const PING = { v: 'MH12AB1234', t: 1_761_417_010_000, lat: 18.52, lon: 73.85, kmh: 42.5, ign: 1 };
const FAST = 1_000_000;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'replay-test-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function fileOf(content: string | Buffer): Promise<string> {
  const path = join(folder, `${Math.random().toString(36).slice(2)}.ndjson`);
  await writeFile(path, content);
  return path;
}

async function read(path: string): Promise<{ pings: ReplayPing[]; bad: string[] }> {
  const bad: string[] = [];
  const pings: ReplayPing[] = [];
  for await (const ping of readReplayFile(path, (complaint) => bad.push(complaint))) pings.push(ping);
  return { pings, bad };
}

const lines = (...pings: readonly object[]) => pings.map((ping) => `${JSON.stringify(ping)}\n`).join('');

describe('a replay file', () => {
  it('is read plain or compressed, whatever its name says', async () => {
    const text = lines(PING, { ...PING, t: PING.t + 1_000, ign: 0 });
    const expected = [
      { ...PING, ign: true },
      { ...PING, t: PING.t + 1_000, ign: false },
    ];
    expect(await read(await fileOf(text))).toEqual({ pings: expected, bad: [] });
    expect(await read(await fileOf(gzipSync(text)))).toEqual({ pings: expected, bad: [] });
  });

  it('may end without a line break, have empty lines and the line breaks of Windows', async () => {
    const text = `${JSON.stringify(PING)}\r\n\r\n${JSON.stringify(PING)}`;
    expect((await read(await fileOf(text))).pings).toHaveLength(2);
  });

  it('has its bad lines named by file and number, and the others read', async () => {
    const path = await fileOf(`${lines(PING)}{"v":\n${lines({ ...PING, lat: 'x' }, PING)}`);
    const { pings, bad } = await read(path);
    expect(pings).toHaveLength(2);
    expect(bad).toEqual([`${path}:2: not JSON: "{\\"v\\":"`, `${path}:3: lat must be a number, got "x"`]);
  });

  it('may have a line without an end, which takes no more memory than one that is too long', async () => {
    const { pings, bad } = await read(await fileOf(`${'x'.repeat(300_000)}\n${lines(PING)}`));
    expect(pings).toHaveLength(1);
    expect(bad[0]).toMatch(/:1: longer than 4096 characters$/);
  });

  it('that is cut off is read as far as it goes, and then named as broken', async () => {
    // Random, so that what is left of the compressed file still holds lines.
    const many = Array.from({ length: 5_000 }, (_, i) => ({ ...PING, t: PING.t + i, lat: Math.random() }));
    const whole = gzipSync(lines(...many));
    const path = await fileOf(whole.subarray(0, whole.length / 2));
    const pings: ReplayPing[] = [];
    const reading = (async () => {
      for await (const ping of readReplayFile(path, () => {})) pings.push(ping);
    })();
    await expect(reading).rejects.toThrow(new RegExp(`^${path}:\\d+: unexpected end of file$`));
    expect(pings.length).toBeGreaterThan(0);
  });

  it('that is not there is named', async () => {
    await expect(checkReplayFile(join(folder, 'none'))).rejects.toThrow(/--replay: .*none cannot be read \(ENOENT\)/);
    await expect(checkReplayFile(folder)).rejects.toThrow(/is not a file/);
  });

  it.each([
    ['[1]', /not an object/],
    [JSON.stringify({ ...PING, v: '' }), /^v must be/],
    [JSON.stringify({ ...PING, v: 'a\u001b[2J' }), /^v must be/],
    [JSON.stringify({ ...PING, t: -1 }), /^t must be/],
    [JSON.stringify({ ...PING, t: 1.5 }), /^t must be/],
    [JSON.stringify({ ...PING, lon: null }), /^lon must be a number, got null/],
    [JSON.stringify({ ...PING, kmh: undefined }), /^kmh must be a number, got nothing/],
    [JSON.stringify({ ...PING, ign: 2 }), /^ign must be 0 or 1, got 2/],
  ])('does not take %s for a ping', (line, complaint) => {
    expect(parsePing(line)).toMatch(complaint);
  });

  it('cannot steer a terminal with what it holds', () => {
    expect(parsePing('\u001b[2J')).not.toContain('\u001b');
  });
});

describe('the pace of a replay', () => {
  it('follows the times of the pings, so many times as fast', () => {
    const pace = new ReplayPace(60);
    expect(pace.waitMs(1_000_000, 500)).toBe(0);
    expect(pace.waitMs(1_060_000, 500)).toBe(1_000);
    expect(pace.waitMs(1_060_000, 1_200)).toBe(300);
    expect(pace.waitMs(1_060_000, 9_000)).toBe(0);
  });

  it('does not wait for what should have come before', () => {
    const pace = new ReplayPace(1);
    pace.waitMs(5_000, 0);
    expect(pace.waitMs(1_000, 0)).toBe(0);
    expect(pace.replayMs).toBe(5_000);
  });

  it('passes over a gap that would take longer than half a minute', () => {
    const pace = new ReplayPace(1);
    pace.waitMs(0, 0);
    expect(pace.waitMs(86_400_000, 10)).toBe(0);
    expect(pace.waitMs(86_401_000, 10)).toBe(1_000);
  });
});

describe('a replay', () => {
  const playing = async (text: string) => {
    const offered: PositionReport[] = [];
    const entered: string[] = [];
    const replay = new Replay({
      path: await fileOf(text),
      speed: FAST,
      sink: { isFull: () => false, offer: (reports) => void offered.push(...reports) },
      enter: async (vehicles) => void entered.push(...vehicles.map(({ registration }) => registration)),
    });
    await replay.run(new AbortController().signal);
    return { replay, offered, entered };
  };

  it('offers every ping in order, under a number for each plate, entered when it comes first', async () => {
    const { offered, entered } = await playing(
      lines(PING, { ...PING, v: 'KA01B2', t: PING.t + 1 }, { ...PING, t: PING.t + 2 }),
    );
    expect(offered.map(({ vehicleId, at }) => [vehicleId, at - PING.t])).toEqual([
      ['900000001', 0],
      ['900000002', 1],
      ['900000001', 2],
    ]);
    expect(entered).toEqual(['MH12AB1234', 'KA01B2']);
  });

  it('leaves out pings from the future, and counts them and the bad lines', async () => {
    const { replay, offered } = await playing(`no\n${lines({ ...PING, t: Date.now() + 60_000 }, PING)}`);
    expect(offered).toHaveLength(1);
    expect([replay.pings, replay.ahead, replay.badLines]).toEqual([1, 1, 1]);
    expect(replay.complaints[0]).toMatch(/:1: not JSON/);
  });

  it('waits while its sink is full', async () => {
    let looks = 0;
    const offered: PositionReport[] = [];
    const replay = new Replay({
      path: await fileOf(lines(PING)),
      speed: FAST,
      sink: { isFull: () => ++looks < 3, offer: (reports) => void offered.push(...reports) },
      enter: async () => {},
    });
    await replay.run(new AbortController().signal);
    expect(looks).toBe(3);
    expect(offered).toHaveLength(1);
  });
});
