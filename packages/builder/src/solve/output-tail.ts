// The last lines of a step's output, kept for its error.

const LINES = 20;
const BYTES = 16 << 10;

/** Keeps the end of what is added. */
export class OutputTail {
  #text = "";
  readonly #decoder = new TextDecoder();

  add(data: Uint8Array): void {
    this.#text = (this.#text + this.#decoder.decode(data, { stream: true })).slice(-BYTES);
  }

  /** At most 20 lines, the last one last. */
  lines(): string[] {
    return this.#text
      .replace(/\n+$/, "")
      .split("\n")
      .slice(-LINES)
      .filter((line, _index, all) => all.length > 1 || line !== "");
  }
}
