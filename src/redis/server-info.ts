/** What a server says of itself, in the text that INFO replies with. */
export class ServerInfo {
  readonly #fields: ReadonlyMap<string, string>;

  constructor(text: string) {
    const lines = [...text.matchAll(/^(\w+):(.*?)\r?$/gm)];
    this.#fields = new Map(lines.map(([, field = '', value = '']) => [field, value]));
  }

  /** How much it may hold, in bytes; undefined when it does not say, or nothing limits it. */
  get maxMemoryBytes(): number | undefined {
    const bytes = Number(this.#fields.get('maxmemory'));
    return bytes > 0 ? bytes : undefined;
  }

  /** What it does at that limit, by the name of its setting. */
  get evictionPolicy(): string | undefined {
    return this.#fields.get('maxmemory_policy');
  }

  /**
   * Names the history of its data: another one after every start and every promotion. Undefined unless it is a
   * primary.
   */
  get history(): string | undefined {
    return this.#fields.get('role') === 'master' ? this.#fields.get('master_replid') : undefined;
  }
}
