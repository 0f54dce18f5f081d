import { CacheError } from '../core/errors.js';
import {
  DAY_MS,
  istDayStartMs,
  istMinuteOfDay,
  istWeekday,
  MINUTE_MS,
  minuteOf,
  type Weekday,
} from './ist-calendar.js';

/** Where goods vehicles have hours of their own. South Mumbai has stricter ones than the rest of its city. */
export type FreightPlace = 'delhi' | 'mumbai' | 'south-mumbai' | 'bengaluru' | 'hyderabad' | 'kolkata';
export type GoodsVehicle = 'light' | 'medium' | 'heavy';

/** Whether goods vehicles may be on the road. */
export interface FreightHours {
  readonly allowed: boolean;
  /** For how long that can be said, in ms since the epoch: to the next hour that changes it, or the end of the IST day. */
  readonly untilMs: number;
}

/** Minutes after IST midnight, `from` included and `to` not. */
interface Ban {
  readonly days: readonly Weekday[];
  readonly from: number;
  readonly to: number;
}

const EVERY_DAY: readonly Weekday[] = [0, 1, 2, 3, 4, 5, 6];
const SATURDAY: readonly Weekday[] = [6];
const SUNDAY_TO_FRIDAY: readonly Weekday[] = [0, 1, 2, 3, 4, 5];

function ban(from: `${number}:${number}`, to: `${number}:${number}`, days: readonly Weekday[] = EVERY_DAY): Ban {
  return { days, from: minuteOf(from), to: minuteOf(to) };
}

const NEVER: readonly Ban[] = [];
const DELHI_LONG = [ban('07:00', '23:00')];
const KOLKATA_LONG = [ban('06:00', '22:00')];

/**
 * The orders of the cities' traffic police, as reported; docs/fleet.md names the reports. Where they differ the stricter
 * hour stands here. What a report does not mention is not banned by it.
 */
const BANS: Readonly<Record<FreightPlace, Readonly<Record<GoodsVehicle, readonly Ban[]>>>> = {
  delhi: { light: [ban('07:00', '11:00'), ban('17:00', '23:00')], medium: DELHI_LONG, heavy: DELHI_LONG },
  mumbai: { light: NEVER, medium: NEVER, heavy: [ban('07:00', '11:00'), ban('17:00', '21:00')] },
  'south-mumbai': { light: NEVER, medium: NEVER, heavy: [ban('07:00', '24:00')] },
  bengaluru: {
    light: NEVER,
    medium: NEVER,
    heavy: [
      ban('07:00', '11:00', SUNDAY_TO_FRIDAY),
      ban('16:00', '22:00', SUNDAY_TO_FRIDAY),
      ban('10:00', '14:30', SATURDAY),
      ban('16:30', '21:00', SATURDAY),
    ],
  },
  hyderabad: { light: NEVER, medium: [ban('08:00', '12:00'), ban('16:00', '21:00')], heavy: [ban('07:00', '23:00')] },
  kolkata: { light: [ban('06:00', '12:00'), ban('16:00', '22:00')], medium: KOLKATA_LONG, heavy: KOLKATA_LONG },
};

/** @throws CacheError `invalid-value` for a place or a kind of vehicle of which nothing is known */
export function checkFreight(place: FreightPlace, vehicle: GoodsVehicle): void {
  if (!Object.hasOwn(BANS, place)) throw unknown('place', place, Object.keys(BANS));
  if (!Object.hasOwn(BANS[place], vehicle)) throw unknown('vehicle', vehicle, Object.keys(BANS[place]));
}

function unknown(field: string, given: string, known: readonly string[]): CacheError {
  return new CacheError('invalid-value', `${field} is ${JSON.stringify(given)}: known are ${known.join(', ')}`, {
    field,
  });
}

/**
 * What holds at `wallMs` by the standing orders. Festivals change the hours at short notice, so what is cached is to be
 * invalidated as well.
 */
export function freightHours(place: FreightPlace, vehicle: GoodsVehicle, wallMs: number): FreightHours {
  const dayMs = istDayStartMs(wallMs);
  const weekday = istWeekday(wallMs);
  const minute = istMinuteOfDay(wallMs);
  const today = BANS[place][vehicle].filter(({ days }) => days.includes(weekday));
  const current = today.find(({ from, to }) => minute >= from && minute < to);
  if (current !== undefined) return { allowed: false, untilMs: dayMs + current.to * MINUTE_MS };
  const next = Math.min(DAY_MS / MINUTE_MS, ...today.map(({ from }) => from).filter((from) => from > minute));
  return { allowed: true, untilMs: dayMs + next * MINUTE_MS };
}
