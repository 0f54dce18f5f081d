import { ewayBillEndMs } from '../../src/fleet/eway-bill.js';
import { freightHours } from '../../src/fleet/freight-hours.js';
import { istDayStartMs, istMinuteOfDay, istWeekday, nextIstTimeMs } from '../../src/fleet/ist-calendar.js';
import { byHour, ewayBillLifetime, ewayBillsLifetime, hoursLifetime } from '../../src/fleet/lifetimes.js';

/** Every 53 minutes of the two months in which clocks are changed elsewhere, as the process that runs this sees them. */
const STEP_MS = 53 * 60_000;
const lines: string[] = [`${new Date(Date.UTC(2026, 0, 1)).getTimezoneOffset()}`];
for (const month of [2, 10]) {
  for (let ms = Date.UTC(2026, month, 1); ms < Date.UTC(2026, month + 1, 1); ms += STEP_MS) {
    const { allowed, untilMs } = freightHours('bengaluru', 'heavy', ms);
    const billMs = ewayBillEndMs(ms, 450);
    const calendar = [istDayStartMs(ms), istWeekday(ms), istMinuteOfDay(ms), nextIstTimeMs(ms, 330)];
    const bill = { id: '1'.padStart(12, '0'), vehicleId: '42', madeAt: new Date(ms), distanceKm: 450 };
    const bills = [billMs, billMs + 86_400_000].map((end) => ({ ...bill, validUntil: new Date(end) }));
    const lifetimes = [
      hoursLifetime({ allowed, untilMs }, ms).ttl,
      ...[billMs - 5_000, ms].map((atMs) => ewayBillsLifetime(bills, atMs).ttl),
      ewayBillsLifetime(bills, billMs - 5_000).staleIfError,
      byHour({ ttl: 3_600_000, staleIfError: 0 }, ms).ttl,
      ewayBillLifetime(billMs, billMs - 5_000).ttl,
    ];
    lines.push([...calendar, allowed, untilMs, billMs, ...lifetimes].join(' '));
  }
}
process.stdout.write(lines.join('\n'));
