import type { Load } from './subject.js';

/** Opens once; whoever waits goes on then. */
export class Gate {
  readonly opened: Promise<void>;
  open: () => void = () => {};

  constructor() {
    this.opened = new Promise((resolve) => {
      this.open = resolve;
    });
  }
}

/** What is cached: counts how it is asked. */
export class Source {
  calls = 0;
  mostAtOnce = 0;
  #atOnce = 0;
  readonly load: Load;

  constructor(answer: (key: string) => unknown) {
    this.load = async (key) => {
      this.calls += 1;
      this.#atOnce += 1;
      this.mostAtOnce = Math.max(this.mostAtOnce, this.#atOnce);
      try {
        return await answer(key);
      } finally {
        this.#atOnce -= 1;
      }
    };
  }
}

/** A source that answers when it is let, with what it had when it was asked. */
export class GatedSource {
  readonly asked = new Gate();
  readonly gate = new Gate();
  readonly load: Load;

  constructor(answer: unknown) {
    this.load = async () => {
      this.asked.open();
      await this.gate.opened;
      return answer;
    };
  }
}
