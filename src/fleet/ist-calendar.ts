/**
 * Indian Standard Time: UTC+05:30 all year, so a day of the calendar is plain arithmetic on milliseconds. Nothing here
 * asks the machine for its time zone, or for the time. A boundary belongs to what begins at it.
 */

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
const IST_AHEAD_MS = 5.5 * HOUR_MS;

/** 1 January 1970 was a Thursday. */
const FIRST_WEEKDAY = 4;

/** 0 is Sunday. */
export type Weekday = 0 | 1 | 2 | 3 | 4 | 5 | 6;

/** The midnight at which the IST day of `wallMs` began, in ms since the epoch. */
export function istDayStartMs(wallMs: number): number {
  return Math.floor((wallMs + IST_AHEAD_MS) / DAY_MS) * DAY_MS - IST_AHEAD_MS;
}

/** The midnight at which it ends: always later than `wallMs`. */
export function nextIstMidnightMs(wallMs: number): number {
  return istDayStartMs(wallMs) + DAY_MS;
}

/** Minutes since IST midnight, 0 to 1439. */
export function istMinuteOfDay(wallMs: number): number {
  return Math.floor((wallMs - istDayStartMs(wallMs)) / MINUTE_MS);
}

export function istWeekday(wallMs: number): Weekday {
  const days = Math.floor((wallMs + IST_AHEAD_MS) / DAY_MS);
  return ((((days + FIRST_WEEKDAY) % 7) + 7) % 7) as Weekday;
}

/** The next time, later than `wallMs`, at which it is so many minutes after IST midnight. */
export function nextIstTimeMs(wallMs: number, minuteOfDay: number): number {
  const todayMs = istDayStartMs(wallMs) + minuteOfDay * MINUTE_MS;
  return todayMs > wallMs ? todayMs : todayMs + DAY_MS;
}

/** Minutes after midnight of a time such as `07:30`; `24:00` is the end of the day. */
export function minuteOf(time: `${number}:${number}`): number {
  const [hours = '', minutes = ''] = time.split(':');
  return Number(hours) * 60 + Number(minutes);
}
