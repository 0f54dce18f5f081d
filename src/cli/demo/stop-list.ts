/** What has to be stopped, and in which order: what was started last goes first, for it stands on the others. */
export class StopList {
  readonly #steps: { readonly name: string; readonly stop: () => Promise<void> }[] = [];

  add(name: string, stop: () => Promise<void>): void {
    this.#steps.push({ name, stop });
  }

  /** Stops everything, whatever goes wrong with some of it; says what went wrong. */
  async run(boundMs: number): Promise<string[]> {
    const complaints: string[] = [];
    for (const { name, stop } of this.#steps.splice(0).reverse()) {
      try {
        await within(boundMs, stop());
      } catch (error) {
        complaints.push(`stopping ${name}: ${error instanceof Error ? error.message : error}`);
      }
    }
    return complaints;
  }
}

async function within(boundMs: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`was not done within ${boundMs} ms`)), boundMs);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
