import { describe, expect, it } from 'vitest';
import { importRules } from './import-rules.js';
import { purityRules } from './purity-rules.js';
import { describeFinding, parseSource } from './source.js';
import { styleRules } from './style-rules.js';

type Files = Readonly<Record<string, string>>;

interface Sample {
  readonly rule: string;
  /** Files by path. Each file here has exactly the findings that `says` begins with. */
  readonly bad: Files;
  readonly says: readonly string[];
  /** What looks alike and is allowed. */
  readonly good: Files;
}

const rules = [...importRules, ...purityRules, ...styleRules];

function check(name: string, files: Files): readonly string[] {
  const rule = rules.find((candidate) => candidate.name === name);
  if (rule === undefined) throw new Error(`no rule is named '${name}'`);
  return rule.check(Object.entries(files).map(([path, text]) => parseSource(path, text))).map(describeFinding);
}

// Split so that the rule does not find them in this file.
const [note, otherNote] = ['TO' + 'DO', 'FIX' + 'ME'];

const samples: readonly Sample[] = [
  {
    rule: 'every folder imports only the folders that the table allows it, types included',
    bad: {
      'src/core/engine.ts': "import type { Guard } from '../policy/guard.js';",
      'src/redis/redis-tier.ts': "import { a } from '../core/a.js';\nexport { Ring } from '../peer/ring.js';",
      'src/memory/memory-tier.ts': "type Row = import('../source/row.js').Row;",
      'src/cli/main.ts': "await import('../redis/redis-tier.js');",
      'src/index.ts': "export { MemoryTier } from './memory/memory-tier.js';",
      'src/codec/value.ts': "import { fleet } from 'fleetflow-cache/fleet';",
      'src/node/compose.ts': "import { run } from '../cli/run.js';",
      'src/metrics/recorder.ts': "import { createCache } from '../index.js';",
      'sim/world.ts': "import { RedisTier } from '../src/redis/redis-tier.js';",
    },
    says: [
      "src/core/engine.ts:1 'core' imports 'policy' ('../policy/guard.js'): 'core' may import nothing",
      "src/redis/redis-tier.ts:2 'redis' imports 'peer'",
      "src/memory/memory-tier.ts:1 'memory' imports 'source'",
      "src/cli/main.ts:1 'cli' imports 'redis'",
      "src/index.ts:1 'index' imports 'memory'",
      "src/codec/value.ts:1 imports its own package as 'fleetflow-cache/fleet'",
      "src/node/compose.ts:1 'node' imports 'cli'",
      "src/metrics/recorder.ts:1 'metrics' imports 'index'",
      "sim/world.ts:1 'sim' imports 'redis'",
    ],
    good: {
      'src/core/engine.ts': "import { Entry } from './entry.js';",
      'src/redis/script/fill.ts': "import { Version } from '../../core/version.js';\nimport { x } from '../slot.js';",
      'src/redis/redis-tier.test.ts': "import { Ring } from '../peer/ring.js';",
      'src/city/season.ts': "import { breaker } from '../policy/breaker.js';",
      'src/node/compose.ts': "import { RedisTier } from '../redis/redis-tier.js';\nimport pg from 'pg';",
      'src/index.ts': "export { createCache } from './node/cache.js';",
      'sim/world.ts': "import { Engine } from '../src/core/engine.js';",
      'test/read.test.ts': "import { RedisTier } from '../src/redis/redis-tier.js';",
    },
  },
  {
    rule: 'every folder of src is a concept of the import table',
    bad: { 'src/shared/clock.ts': '', 'src/engine.ts': '' },
    says: ["src/shared/clock.ts:1 'shared' is not in the import table", "src/engine.ts:1 'engine' is not"],
    good: { 'src/core/clock.ts': '', 'src/index.ts': '', 'src/index.test.ts': '', 'src/node/fleet.ts': '' },
  },
  {
    rule: 'core, policy and fleet import no third party',
    bad: {
      'src/core/schema.ts': "import type { ZodType } from 'zod';",
      'src/policy/retry.ts': "import { request } from 'undici';",
      'src/fleet/keys.ts': "import '@redis/client';",
    },
    says: [
      "src/core/schema.ts:1 'core' imports 'zod'",
      "src/policy/retry.ts:1 'policy' imports 'undici'",
      "src/fleet/keys.ts:1 'fleet' imports '@redis/client'",
    ],
    good: {
      'src/core/key.ts': "import { Buffer } from 'node:buffer';",
      'src/core/key.test.ts': "import fc from 'fast-check';",
      'src/redis/redis-tier.ts': "import { createClient } from '@redis/client';",
    },
  },
  {
    rule: 'core, policy and fleet do no input or output',
    bad: {
      'src/core/engine.ts': "import { readFile } from 'node:fs/promises';",
      'src/fleet/warm.ts': "import net from 'net';",
    },
    says: ["src/core/engine.ts:1 'core' imports 'node:fs/promises'", "src/fleet/warm.ts:1 'fleet' imports 'net'"],
    good: {
      'src/core/events.ts': "import { EventEmitter } from 'node:events';",
      'src/peer/a.ts': "import 'node:net';",
    },
  },
  {
    rule: 'relative imports end in .js',
    bad: {
      'src/core/a.ts': "import { b } from './b';\nimport type { c } from '../c.ts';",
      'test/a.test.ts': "await import('../src');",
    },
    says: ["src/core/a.ts:1 imports './b'", "src/core/a.ts:2 imports '../c.ts'", "test/a.test.ts:1 imports '../src'"],
    good: { 'src/core/a.ts': "import { b } from './b.js';\nimport c from 'pg';\nimport d from '../d.json';" },
  },
  {
    rule: 'no files import each other in a circle, types included',
    bad: {
      'src/core/a.ts': "import x from 'pg';\nimport { b } from './b.js';",
      'src/core/b.ts': "import type { C } from './c.js';",
      'src/core/c.ts': "export type { A } from './a.js';",
      'src/core/self.ts': "import { me } from './self.js';",
      'src/core/free.ts': "import { a } from './a.js';",
    },
    says: [
      'src/core/a.ts:2 import circle src/core/a.ts > src/core/b.ts > src/core/c.ts > src/core/a.ts',
      'src/core/self.ts:1 import circle src/core/self.ts > src/core/self.ts',
    ],
    good: {
      'src/core/a.ts': "import { b } from './b.js';\nimport { c } from './c.js';",
      'src/core/b.ts': "import { c } from './c.js';",
      'src/core/c.ts': '',
    },
  },
  {
    rule: 'no file only re-exports others, besides the entry points',
    bad: {
      'src/core/all.ts': "export * from './a.js';\nexport { b } from './b.js';",
      'src/peer/index.ts': "import { a } from './a.js';\nexport { a };",
    },
    says: ['src/core/all.ts:1 only re-exports other files', 'src/peer/index.ts:1 only re-exports'],
    good: {
      'src/index.ts': "export { a } from './node/a.js';",
      'src/node/fleet.ts': "export { a } from './a.js';",
      'src/core/a.ts': "export type { B } from './b.js';\nexport const a = 1;",
      'src/cli/main.ts': "import './run.js';",
    },
  },
  {
    rule: 'no clock and no timer outside node, cli and tests',
    bad: {
      'src/core/a.ts': 'const a = Date.now();\nconst b = new Date();\nconst c = performance.now();\nconst d = Date();',
      'src/policy/b.ts': 'setTimeout(f, 1);\nglobalThis.setInterval(f, 1);\nconst later = { setImmediate };',
      'src/redis/c.ts': "import { setTimeout as sleep } from 'node:timers/promises';\nAbortSignal.timeout(5);",
      'src/peer/d.ts': "process.hrtime.bigint();\nimport { hrtime } from 'node:process';\nprocess['uptime']();",
      'src/fleet/e.ts': 'const { now } = Date;\nclass T {\n  readonly timer = setTimeout;\n}\nnew globalThis.Date();',
    },
    says: [
      'src/core/a.ts:1 uses Date.now: take the Clock port',
      'src/core/a.ts:3 uses performance.now',
      'src/core/a.ts:2 reads the wall clock through Date',
      'src/core/a.ts:4 reads the wall clock through Date',
      'src/policy/b.ts:1 uses setTimeout',
      'src/policy/b.ts:2 uses globalThis.setInterval',
      'src/policy/b.ts:3 uses setImmediate',
      'src/redis/c.ts:1 imports node:timers/promises',
      'src/redis/c.ts:2 uses AbortSignal.timeout',
      'src/peer/d.ts:2 imports hrtime',
      'src/peer/d.ts:1 uses process.hrtime',
      'src/peer/d.ts:3 uses process.uptime',
      'src/fleet/e.ts:1 uses Date.now',
      'src/fleet/e.ts:3 uses setTimeout',
      'src/fleet/e.ts:5 reads the wall clock through Date',
    ],
    good: {
      'src/core/a.ts': "// Date.now() would lie here\nconst a = new Date(0);\nconst b = 'setTimeout(1)';\nclock.now();",
      'src/core/b.ts': 'queueMicrotask(f);\nprocess.nextTick(f);\ninterface Timers {\n  setTimeout(): void;\n}',
      'src/peer/c.ts': "socket.setTimeout(0);\nimport type { Agent } from 'node:timers';\nDate.parse(text);",
      'src/node/system-clock.ts': 'export const now = () => Date.now();',
      'src/cli/main.ts': 'setInterval(draw, 500);',
      'src/core/a.test.ts': 'Date.now();',
      'test/wait.ts': 'setTimeout(f, 1);',
    },
  },
  {
    rule: 'no randomness outside node, cli and tests',
    bad: {
      'src/core/a.ts': "const a = Math.random();\nconst { random } = Math;\nMath['random']();",
      'src/peer/b.ts': "import { createHash, randomUUID as id } from 'node:crypto';\ncrypto.getRandomValues(b);",
      'src/source/c.ts': "import * as c from 'node:crypto';\nc.randomBytes(8);\nc.randomInt(8);",
    },
    says: [
      'src/core/a.ts:1 uses Math.random: take the Chance port',
      'src/core/a.ts:2 uses Math.random',
      'src/core/a.ts:3 uses Math.random',
      'src/peer/b.ts:1 imports randomUUID',
      'src/peer/b.ts:2 uses getRandomValues',
      'src/source/c.ts:2 uses randomBytes',
      'src/source/c.ts:3 uses randomInt',
    ],
    good: {
      'src/core/a.ts': 'const a = chance.next();\nMath.max(1, 2);\n// Math.random',
      'src/peer/b.ts': "import { createHash, timingSafeEqual } from 'node:crypto';",
      'src/node/system-chance.ts': 'export const next = () => Math.random();',
      'src/peer/b.test.ts': 'Math.random();',
    },
  },
  {
    rule: 'nobody writes any',
    bad: { 'src/core/a.ts': 'const a = 1 as any;', 'test/b.test.ts': 'let b: Map<string, any>;' },
    says: ['src/core/a.ts:1 has the type any', 'test/b.test.ts:1 has the type any'],
    good: { 'src/core/a.ts': "// any key\nconst any = 'any';\nlet b: unknown = any;\nAbortSignal.any([]);" },
  },
  {
    rule: 'src has no enums',
    bad: { 'src/core/a.ts': '\nenum Level {}', 'src/core/b.ts': 'declare const enum Mode {}' },
    says: ['src/core/a.ts:2 enum Level', 'src/core/b.ts:1 enum Mode'],
    good: { 'src/core/a.ts': "type Level = 'local' | 'peer';\nconst enumerated = 1;" },
  },
  {
    rule: 'src has no parameter properties',
    bad: { 'src/core/a.ts': 'class A {\n  constructor(private readonly b: string) {}\n}' },
    says: ['src/core/a.ts:2 parameter property b'],
    good: {
      'src/core/a.ts': 'class A {\n  readonly #b: string;\n  constructor(b: string) {\n    this.#b = b;\n  }\n}',
    },
  },
  {
    rule: 'src hides members with #, not with a modifier',
    bad: { 'src/core/a.ts': 'class A {\n  private b = 1;\n  public static c(): void {}\n}' },
    says: ['src/core/a.ts:2 private member', 'src/core/a.ts:3 public member'],
    good: { 'src/core/a.ts': 'class A {\n  #b = 1;\n  protected c = 2;\n  private constructor() {}\n}' },
  },
  {
    rule: 'src has no default exports',
    bad: {
      'src/core/a.ts': 'export default 1;',
      'src/core/b.ts': 'export default function b() {}',
      'src/core/c.ts': 'const c = 1;\nexport { c as default };',
    },
    says: ['src/core/a.ts:1 default export', 'src/core/b.ts:1 default export', 'src/core/c.ts:2 default export'],
    good: { 'src/core/a.ts': "import pg from 'pg';\nexport const a = pg;", 'vitest.config.ts': 'export default {};' },
  },
  {
    rule: 'no test is skipped, focused or left for later',
    bad: {
      'src/core/a.test.ts': "it.skip('a', f);\ndescribe.only('b', f);\ntest.concurrent.todo('c');",
      'test/b.test.ts': "it.skipIf(isCi)('a', f);\nit('b', { skip: true }, f);\nit.each([1]).only('c', f);",
    },
    says: [
      'src/core/a.test.ts:1 it.skip in a test',
      'src/core/a.test.ts:2 describe.only',
      'src/core/a.test.ts:3 test.todo',
      'test/b.test.ts:1 it.skipIf',
      'test/b.test.ts:2 option skip',
      'test/b.test.ts:3 it.only',
    ],
    good: { 'test/b.test.ts': "it('a', f);\nreader.skip(4);\nconst options = { skip: 1 };\nit.each([1])('b', f);" },
  },
  {
    rule: 'no file is longer than 400 lines without a reason',
    bad: { 'src/core/a.ts': `${'a;\n'.repeat(401)}`, 'src/redis/fill.lua': '\n'.repeat(450).concat('return 1') },
    says: ['src/core/a.ts:401 401 lines, more than 400', 'src/redis/fill.lua:401 451 lines'],
    good: { 'src/core/a.ts': 'a;\n'.repeat(400) },
  },
  {
    rule: 'files and folders are named in kebab-case',
    bad: { 'src/core/singleFlight.ts': '', 'src/core/Engine.ts': '', 'test/read_path/a.test.ts': '' },
    says: ['src/core/singleFlight.ts:1 is not', 'src/core/Engine.ts:1 is not', 'test/read_path/a.test.ts:1 is not'],
    good: { 'src/core/single-flight.test.ts': '', 'vitest.config.ts': '', 'src/source/migrations/0001-fleet.sql': '' },
  },
  {
    rule: 'no folder is a drawer for leftovers',
    bad: { 'src/core/utils/a.ts': '', 'src/types/a.ts': '' },
    says: ["src/core/utils/a.ts:1 lies in a folder 'utils'", "src/types/a.ts:1 lies in a folder 'types'"],
    good: { 'src/core/types.ts': '', 'src/memory/memory-tier.ts': '' },
  },
  {
    rule: 'nobody leaves a note for later in the code',
    bad: { 'src/core/a.ts': `a;\n// ${note}: later`, 'src/redis/fill.lua': `-- ${otherNote} slow` },
    says: [`src/core/a.ts:2 says ${note}`, `src/redis/fill.lua:1 says ${otherNote}`],
    good: { 'src/core/a.ts': "const todo = 'todo';\nconst name = 'fleet-XXXXXX';" },
  },
];

describe('the tidy rules', () => {
  it('every rule has a sample', () => {
    expect(samples.map((sample) => sample.rule)).toEqual(rules.map((rule) => rule.name));
  });

  for (const { rule, bad, good, says } of samples) {
    it(`report what breaks: ${rule}`, () => {
      expect(check(rule, bad)).toEqual(says.map((beginning) => expect.stringContaining(beginning)));
    });

    it(`allow what only looks alike: ${rule}`, () => {
      expect(check(rule, good)).toEqual([]);
    });
  }
});
