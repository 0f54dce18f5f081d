/** Appends numbered records to a journal until it is killed, and says each number when it is durable. */
import { Journal } from '../../src/source/journal.js';

const journal = await Journal.open({ directory: process.argv[2] as string, bytesMax: 268_435_456 });
const filler = 'x'.repeat(2_000);
for (let number = 0; ; number += 10) {
  const appended = Array.from({ length: 10 }, async (_, i) => {
    await journal.append(Buffer.from(`${number + i} ${filler}`));
    process.stdout.write(`${number + i}\n`);
  });
  await Promise.all(appended);
}
