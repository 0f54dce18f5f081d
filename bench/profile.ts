import { type Profiler, Session } from 'node:inspector/promises';

const SAMPLE_EVERY_US = 250;
const TOP = 12;
/** Waiting, and the profiler itself. */
const NOT_OURS = ['dispatch', '(idle)', '(program)'];

/** Where this process spends its time while it is measured: functions by what they take themselves. */
export class Profile {
  readonly #name: string;
  readonly #session = new Session();
  readonly #selfUs = new Map<string, number>();

  constructor(name: string) {
    this.#name = name;
    this.#session.connect();
  }

  async of<T>(work: () => Promise<T>): Promise<T> {
    await this.#session.post('Profiler.enable');
    await this.#session.post('Profiler.setSamplingInterval', { interval: SAMPLE_EVERY_US });
    await this.#session.post('Profiler.start');
    try {
      return await work();
    } finally {
      const { profile } = await this.#session.post('Profiler.stop');
      this.#add(profile);
    }
  }

  print(): void {
    for (const name of NOT_OURS) this.#selfUs.delete(name);
    const total = [...this.#selfUs.values()].reduce((a, b) => a + b, 0);
    if (total === 0) return;
    const top = [...this.#selfUs].sort((a, b) => b[1] - a[1]).slice(0, TOP);
    const lines = top.map(([name, us]) => `  ${((100 * us) / total).toFixed(1).padStart(5)} %  ${name}`);
    process.stderr.write(`profile of ${this.#name}\n${lines.join('\n')}\n`);
  }

  #add({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): void {
    const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
    samples.forEach((id, i) => {
      const name = names.get(id) ?? '(unknown)';
      this.#selfUs.set(name, (this.#selfUs.get(name) ?? 0) + (timeDeltas[i] ?? 0));
    });
  }
}

function nameOf({ functionName, url }: { readonly functionName: string; readonly url: string }): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url === '') return name;
  const path = url.replace(/^.*\/(?:node_modules|fleetflow-bench-[^/]*)\//, '');
  return `${name}  ${path}`;
}
