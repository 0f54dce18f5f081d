import { beforeEach, describe, expect, it } from 'vitest';
import type { FleetRepository, ReportedLocation } from '../../src/fleet/ports.js';
import { makeLocation, newCall, placeOf } from './repository-records.js';

/**
 * What a repository does with several positions of one device time.
 * @param make gives an empty one
 */
export function momentsContract(make: () => Promise<FleetRepository>): void {
  describe('saving positions of one time', () => {
    let repository: FleetRepository;

    beforeEach(async () => {
      repository = await make();
    });

    const save = (...locations: ReportedLocation[]) => repository.saveLocations(locations, newCall());
    const newestOf = async (id: string) => (await repository.locations([id], newCall())).get(id);
    const isKept = async (location: ReportedLocation) => (await save(location))[0]?.duplicate;

    it('chooses by what they say when another has the same time, not by which came first, and keeps both', async () => {
      const [first, other] = [makeLocation('1'), makeLocation('1', 0, { lat: 19.5, region: 'elsewhere' })];
      await save(first);
      const stored = { ...other, revision: 2 };
      expect(await save(other)).toStrictEqual([{ newest: true, duplicate: false, previous: placeOf(first), stored }]);
      expect(await newestOf('1')).toStrictEqual(stored);
      expect(await save(makeLocation('1', 0, { lat: 10 }))).toStrictEqual([
        { newest: false, duplicate: false, previous: placeOf(other), stored: { ...other, revision: 3 } },
      ]);
      expect(await newestOf('1')).toStrictEqual({ ...other, revision: 3 });
      for (const location of [first, other]) expect(await isKept(location)).toBe(true);
    });

    it('believes live before history, then the latest frame on its circle, whatever the order', async () => {
      const said: ReportedLocation[] = [
        { ...makeLocation('1', 0, { lat: 14 }), frame: 5, history: true },
        { ...makeLocation('1', 0, { lat: 13 }) },
        { ...makeLocation('1', 0, { lat: 12 }), frame: 999_999 },
        { ...makeLocation('1', 0, { lat: 11 }), frame: 1 },
        { ...makeLocation('1', 0, { lat: 10 }), frame: 999_998 },
      ];
      for (const [vehicle, order] of [said, [...said].reverse(), [...said.slice(2), ...said.slice(0, 2)]].entries()) {
        const vehicleId = String(vehicle + 1);
        for (const report of order) await save({ ...report, vehicleId });
        expect(await newestOf(vehicleId)).toMatchObject({ lat: 11, revision: 5 });
      }
    });

    it('says which one is chosen, also when a later report brings back one that came before', async () => {
      const numbered = (frame: number) => ({ ...makeLocation('1', 0, { lat: frame / 100_000 }), frame });
      await save(numbered(1));
      expect(await save(numbered(500_000))).toMatchObject([{ newest: true, stored: { lat: 5 } }]);
      // With a third one on the circle the longest stretch without any follows the first.
      expect(await save(numbered(700_000))).toMatchObject([
        { newest: false, duplicate: false, previous: { lat: 5 }, stored: { lat: 0.000_01, revision: 3 } },
      ]);
      expect(await newestOf('1')).toMatchObject({ lat: 0.000_01, revision: 3 });
    });

    it('takes reports of one time, place and speed for one position, and believes the most of them', async () => {
      const [early, late] = [makeLocation('1', 0, { lat: 10 }), makeLocation('1', 0, { lat: 20 })];
      await save({ ...early, frame: 7, headingDeg: undefined, engineOn: false, history: true });
      await save({ ...late, frame: 8 });
      expect(await newestOf('1')).toMatchObject({ lat: 20 });
      // The device had sent it live as well, with a later number.
      expect(await save({ ...early, frame: 9, headingDeg: 12 })).toStrictEqual([
        {
          newest: true,
          duplicate: true,
          previous: placeOf(late),
          stored: { ...early, headingDeg: 12, engineOn: true, revision: 3 },
        },
      ]);
      expect(await save({ ...early, frame: 3, headingDeg: 11, history: true })).toMatchObject([{ newest: true }]);
      expect(await newestOf('1')).toStrictEqual({ ...early, headingDeg: 12, engineOn: true, revision: 3 });
    });

    it('chooses one of those that have one time in one batch, and tells the same one twice from two', async () => {
      const [first, other] = [makeLocation('1'), makeLocation('1', 0, { speedKmh: 12 })];
      const stored = { ...first, revision: 2 };
      expect(await save(other, first, first)).toStrictEqual([
        { newest: false, duplicate: false, previous: undefined, stored },
        { newest: true, duplicate: false, previous: undefined, stored },
        { newest: true, duplicate: true, previous: undefined, stored },
      ]);
      expect(await newestOf('1')).toStrictEqual(stored);
    });
  });
}
