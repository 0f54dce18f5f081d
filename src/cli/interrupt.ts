const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

type StopSignal = keyof typeof SIGNALS;

/** The wish of the user, or of whoever started us, that we stop. */
export interface Interrupt {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  /** The exit code that says which signal it was; undefined while there was none. */
  readonly exitCode: number | undefined;
  /** Does what a signal does. */
  stop(): void;
  /** Ends the listening. */
  release(): void;
}

/**
 * Listens for Ctrl-C and its like. The first one is a request to stop in order; the second one ends this process at
 * once, and its exit tasks everything that it started.
 */
export function listenForInterrupt(onFirst: () => void): Interrupt {
  const controller = new AbortController();
  let exitCode: number | undefined;
  const take = (signal: StopSignal) => {
    if (exitCode !== undefined) process.exit(exitCode);
    exitCode = 128 + SIGNALS[signal];
    onFirst();
    controller.abort(new Error('interrupted'));
  };
  const names = Object.keys(SIGNALS) as StopSignal[];
  for (const name of names) process.on(name, take);
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode;
    },
    stop: () => {
      if (exitCode === undefined) take('SIGTERM');
    },
    release: () => {
      for (const name of names) process.removeListener(name, take);
    },
  };
}
