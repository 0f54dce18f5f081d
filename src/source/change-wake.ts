import type { Cancel, Clock } from '../core/clock.js';

/** A wait that ends early when there is something to do. What comes while nobody waits ends the next wait at once. */
export class Wake {
  readonly #clock: Clock;
  #awake = false;
  #end: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  wake(): void {
    this.#awake = true;
    this.#end?.();
  }

  async wait(mostMs: number): Promise<void> {
    if (!this.#awake) {
      let cancel: Cancel = () => {};
      await new Promise<void>((resolve) => {
        this.#end = resolve;
        cancel = this.#clock.schedule(mostMs, resolve);
      });
      cancel();
      this.#end = undefined;
    }
    this.#awake = false;
  }
}
