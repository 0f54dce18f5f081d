/**
 * Reads the JSON report of a measuring command (its path is the argument) and prints two numbers: rows that hold, rows that
 * do not. A report without a row counts as one that does not.
 */
import { readFileSync } from 'node:fs';

const [reportPath] = process.argv.slice(2);
if (reportPath === undefined) {
  console.error('usage: node scripts/count-rows.mjs REPORT.json');
  process.exit(2);
}
const { rows } = JSON.parse(readFileSync(reportPath, 'utf8'));
const passed = rows.filter(({ ok }) => ok === true).length;
const failed = rows.filter(({ ok }) => ok === false).length;
console.log(`${passed} ${passed + failed === 0 ? 1 : failed}`);
