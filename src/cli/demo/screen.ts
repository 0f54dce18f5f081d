import type { WriteStream } from 'node:tty';
import { clockText } from './figures-text.js';
import { type Paint, paintAnsi, paintNothing } from './table.js';

/** What the demo prints on. */
export type Output = NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY' | 'columns' | 'rows'>>;

export interface Screen {
  /** One line of what is being done. */
  progress(text: string): void;
  /** One line of what happened. */
  log(atMs: number, text: string): void;
  /** The figures of this second. */
  draw(render: (width: number, paint: Paint) => readonly string[]): void;
  /** The last figures stay where they are; what is printed from now on comes below them. */
  leaveTable(): void;
}

const DEFAULT_WIDTH = 100;
const BLOCK_EVERY_MS = 5_000;

/** Prints lines, and no table. */
class LineScreen implements Screen {
  readonly #output: Output;
  readonly #startedMs = performance.now();

  constructor(output: Output) {
    this.#output = output;
  }

  progress(text: string): void {
    const seconds = ((performance.now() - this.#startedMs) / 1_000).toFixed(1);
    this.line(`${seconds.padStart(6)} s  ${text}`);
  }

  log(_atMs: number, text: string): void {
    this.progress(text);
  }

  draw(_render: (width: number, paint: Paint) => readonly string[]): void {}

  leaveTable(): void {}

  protected line(text: string): void {
    this.#output.write(`${text}\n`);
  }
}

/** Where lines cannot be drawn over: the table as a block every five seconds. */
class BlockScreen extends LineScreen {
  #nextBlockMs = performance.now();

  override draw(render: (width: number, paint: Paint) => readonly string[]): void {
    if (performance.now() < this.#nextBlockMs) return;
    this.#nextBlockMs = performance.now() + BLOCK_EVERY_MS;
    for (const line of ['', ...render(DEFAULT_WIDTH, paintNothing), '']) this.line(line);
  }
}

/** A terminal: the table stays in its place, and what happened scrolls away above it. */
export class LiveScreen extends LineScreen {
  readonly #terminal: Output;
  readonly #paint: Paint;
  #drawn: readonly string[] = [];

  constructor(terminal: Output, paint: Paint) {
    super(terminal);
    this.#terminal = terminal;
    this.#paint = paint;
  }

  override progress(text: string): void {
    this.#above(() => super.progress(text));
  }

  override log(atMs: number, text: string): void {
    this.#above(() => this.line(`${clockText(atMs)}  ${text}`));
  }

  override draw(render: (width: number, paint: Paint) => readonly string[]): void {
    const { columns = DEFAULT_WIDTH, rows = Number.POSITIVE_INFINITY } = this.#terminal;
    // What has scrolled out of the terminal cannot be drawn over: the table must fit.
    const lines = render(columns, this.#paint).slice(0, Math.max(1, rows - 1));
    this.#terminal.write(`${this.#toTop()}${lines.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`);
    this.#drawn = lines;
  }

  override leaveTable(): void {
    this.#drawn = [];
  }

  #above(print: () => void): void {
    const drawn = this.#drawn;
    if (drawn.length > 0) this.#terminal.write(`${this.#toTop()}\x1b[J`);
    print();
    this.#terminal.write(drawn.map((line) => `${line}\n`).join(''));
  }

  #toTop(): string {
    return this.#drawn.length === 0 ? '' : `\x1b[${this.#drawn.length}F`;
  }
}

export function openScreen(output: Output, withTable: boolean): Screen {
  if (!withTable) return new LineScreen(output);
  if (output.isTTY !== true) return new BlockScreen(output);
  return new LiveScreen(output, process.env.NO_COLOR ? paintNothing : paintAnsi);
}
