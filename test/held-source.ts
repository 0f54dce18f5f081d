/** A source that answers when it is let. */
export class HeldSource {
  readonly loads: string[] = [];
  readonly #held: (() => void)[] = [];
  #open = true;

  hold(): void {
    this.#open = false;
  }

  letGo(): void {
    this.#open = true;
    for (const answer of this.#held.splice(0)) answer();
  }

  load(key: string): () => Promise<string> {
    return async () => {
      const said = `${key}, load ${this.loads.push(key)}`;
      if (!this.#open) await new Promise<void>((resolve) => this.#held.push(resolve));
      return said;
    };
  }
}
