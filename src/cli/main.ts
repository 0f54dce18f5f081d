#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { CacheError } from '../core/errors.js';
import { demoCommand } from './demo/demo-command.js';
import { serveCommand } from './serve-command.js';

/** Exit codes: 1 when it failed, 2 when it was not asked rightly. */
const FAILED = 1;
const MISUSED = 2;

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  readonly version: string;
};

async function run(): Promise<void> {
  const exit = (code: number) => {
    process.exitCode = code;
  };
  const program = new Command('fleetflow-cache')
    .description('A multi-level distributed cache: memory, Redis Cluster and peers in front of a database.')
    .version(version)
    .showHelpAfterError('(--help tells what there is)')
    .exitOverride();
  for (const command of [demoCommand(version, exit), serveCommand(version, exit)]) {
    program.addCommand(command.copyInheritedSettings(program));
  }
  try {
    await program.parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) {
      exit(error.exitCode === 0 ? 0 : MISUSED);
    } else {
      process.stderr.write(`fleetflow-cache: ${messageOf(error)}\n`);
      exit(error instanceof CacheError && error.code === 'invalid-config' ? MISUSED : FAILED);
    }
  }
}

/** What was wrong and what to do, without where in the code it was noticed. */
function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

await run();
