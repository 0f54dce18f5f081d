/**
 * Reads vitest's JSON report (its path is the argument) and prints two numbers: tests passed, tests failed. A skipped test
 * counts as failed, and so does a test file that ended badly without one failing test in it.
 */
import { readFileSync } from 'node:fs';

const [reportPath] = process.argv.slice(2);
if (reportPath === undefined) {
  console.error('usage: node scripts/count-tests.mjs REPORT.json');
  process.exit(2);
}
const report = JSON.parse(readFileSync(reportPath, 'utf8'));

let passed = 0;
let failed = 0;
for (const file of report.testResults) {
  const filePassed = file.assertionResults.filter((test) => test.status === 'passed').length;
  const fileFailed = file.assertionResults.length - filePassed;
  passed += filePassed;
  failed += file.status === 'failed' ? Math.max(1, fileFailed) : fileFailed;
}
console.log(`${passed} ${failed}`);
