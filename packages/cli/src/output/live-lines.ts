// A block of lines at the end of a terminal that is redrawn in place, a few times a second.

import { clearScreenDown, moveCursor } from "node:readline";
import { displayWidth, ellipsis } from "./table.ts";

const INTERVAL = 80;

/** Redraws when told that something changed; disposing draws the last state and leaves it there. */
export class LiveLines implements Disposable {
  readonly #stream: NodeJS.WriteStream;
  readonly #render: () => readonly string[];
  readonly #timer: NodeJS.Timeout;
  #drawn = 0;
  #dirty = false;
  #ended = false;

  /** `ticking`: redraw even when nothing changed (clocks). */
  constructor(
    stream: NodeJS.WriteStream,
    render: () => readonly string[],
    options: { readonly ticking?: boolean } = {},
  ) {
    this.#stream = stream;
    this.#render = render;
    this.#timer = setInterval(() => {
      if (this.#dirty || options.ticking === true) this.#draw();
    }, INTERVAL);
    this.#timer.unref();
  }

  changed(): void {
    this.#dirty = true;
  }

  /** Lines that stay, above the block. */
  writeAbove(text: string): void {
    this.#erase();
    this.#stream.write(text);
    this.#draw();
  }

  [Symbol.dispose](): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#timer);
    this.#draw(true);
  }

  #erase(): void {
    if (this.#drawn === 0) return;
    moveCursor(this.#stream, 0, -this.#drawn);
    this.#stream.write("\r");
    clearScreenDown(this.#stream);
    this.#drawn = 0;
  }

  #draw(all = false): void {
    this.#dirty = false;
    const width = Math.max(20, (this.#stream.columns ?? 80) - 1);
    const room = Math.max(1, (this.#stream.rows ?? 24) - 1);
    const lines = this.#render();
    // More lines than the terminal has cannot be redrawn: the last ones count.
    const shown = (all ? lines : lines.slice(-room)).map((line) =>
      displayWidth(line) > width ? ellipsis(line, width) : line,
    );
    this.#erase();
    this.#stream.write(shown.map((line) => `${line}\n`).join(""));
    this.#drawn = all ? 0 : shown.length;
  }
}
