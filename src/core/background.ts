/** What goes on behind callers' backs. Each of it has a bound of its own; here it is only counted. */
export class Background {
  #underWay = 0;
  #waiting: (() => void)[] = [];

  begin(): void {
    this.#underWay += 1;
  }

  end(): void {
    this.#underWay -= 1;
    if (this.#underWay > 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  track(work: Promise<unknown>): void {
    this.begin();
    const end = (): void => this.end();
    work.then(end, end);
  }

  /** Resolves when nothing goes on any more. */
  async settle(): Promise<void> {
    while (this.#underWay > 0) await new Promise<void>((wake) => this.#waiting.push(wake));
  }
}
