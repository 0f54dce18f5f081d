import { defineConfig } from 'vitest/config';

/** The tidy rules alone, without the servers that the other tests start. */
export default defineConfig({
  test: { include: ['test/tidy.test.ts', 'test/tidy/**/*.test.ts'], maxWorkers: 2 },
});
