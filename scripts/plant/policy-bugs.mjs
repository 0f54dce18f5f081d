/** Bugs of the waits and breakers: caught without servers. The form is told in bugs.mjs. */
const guards = 'src/policy/guard-set.test.ts';

export const policyBugs = [
  {
    id: 'maximum-ignored',
    what: 'a part that was slow is waited for beyond the configured maximum',
    file: 'src/policy/latency.ts',
    find: 'return Math.min(maxMs, usualMs + (keys - 1) * PER_KEY_MS);',
    replace: 'return usualMs + (keys - 1) * PER_KEY_MS;',
    tests: ['src/policy/latency.test.ts'],
  },
  {
    id: 'silence-never-over',
    what: 'a part that answers again is not asked again',
    file: 'src/policy/guard-set.ts',
    find: 'if (part.breaker !== BREAKER_CLOSED) this.#close(part);',
    replace: '',
    tests: [guards],
  },
  {
    id: 'late-answer-unheard',
    what: 'an answer that nobody waits for any more does not count',
    file: 'src/policy/guard-set.ts',
    find: 'asked?.then(() => this.#answered(part, startedMs), ignore);',
    replace: 'asked?.catch(ignore);',
    tests: [guards],
  },
  {
    id: 'slowness-condemns',
    what: 'one slow answer among many good ones shuts a part off',
    file: 'src/policy/guard-set.ts',
    find: 'return Math.max(askedMs, answeredAtMs);',
    replace: 'return answeredAtMs > askedMs ? askedMs : askedMs;',
    tests: [guards],
  },
  {
    id: 'hurry-condemns',
    what: 'callers with short deadlines of their own shut a part off for everybody',
    file: 'src/policy/guard-set.ts',
    find: 'isDeadline(error) && clock.monotonicMs() - sinceMs >= usualMs - TIE_MS',
    replace: 'isDeadline(error)',
    tests: [guards],
  },
  {
    id: 'lease-after-silence',
    what: 'the wait for a lease comes on top of that of the read that found the shard silent',
    file: 'src/policy/guard-set.ts',
    find: "if (call.reason === 'write' && this.#isSuspect(part, nowMs)) return",
    replace: 'if (isPatient(call) && this.#isSuspect(part, nowMs)) return',
    tests: [guards],
  },
  {
    id: 'forgotten-part-returns',
    what: 'a call that was under way brings back the guard of a part that is gone',
    file: 'src/policy/guard-set.ts',
    find: 'if (this.#parts.get(name) !== part) return;',
    replace: '',
    tests: [guards],
  },
  {
    id: 'late-timer-condemns',
    what: 'a wait whose end is noticed late is over before the sockets have been read',
    file: 'src/core/call.ts',
    find: '#lookedAgain = false;\n  #cancel',
    replace: '#lookedAgain = true;\n  #cancel',
    tests: ['src/core/call.test.ts'],
  },
];
