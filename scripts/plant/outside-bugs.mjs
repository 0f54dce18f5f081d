/** Bugs about the APIs outside. */
export const outsideBugs = [
  {
    id: 'outside-keeps-all',
    what: 'the whole answer of an API is kept, and not only what its terms allow',
    file: 'src/fleet/external-source.ts',
    find: 'picked(answer, keep)',
    replace: 'answer',
    tests: ['test/fleet/places.test.ts'],
  },
  {
    id: 'outside-not-shared',
    what: 'who asks the same at the same moment asks the API again',
    file: 'src/fleet/external-source.ts',
    find: 'const joined = this.#flights.find(key, true);',
    replace: "const joined = this.#flights.find(key + ' ', true);",
    tests: ['test/fleet/places.test.ts', 'test/fleet/routes.test.ts'],
  },
  {
    id: 'outside-insists',
    what: 'an API that has refused requests for their number is asked on',
    file: 'src/source/google-api.ts',
    find: 'if (attempt.status === 429) this.#rate.refused();',
    replace: 'if (attempt.status === 430) this.#rate.refused();',
    tests: ['test/source/geocoding.test.ts'],
  },
  {
    id: 'outside-late-takes-turn',
    what: 'who is told that it would be too late has taken a turn of those who wait',
    file: 'src/source/rate-limit.ts',
    find: `    if (waitMs >= remainingMs(this.#clock, call)) throw deadlineError(\`the rate limit of \${this.#name}\`);
    this.#nextAtMs = atMs + this.#everyMs;`,
    replace: `    this.#nextAtMs = atMs + this.#everyMs;
    if (waitMs >= remainingMs(this.#clock, call)) throw deadlineError(\`the rate limit of \${this.#name}\`);`,
    tests: ['src/source/rate-limit.test.ts'],
  },
];
