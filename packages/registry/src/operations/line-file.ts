// A file that lines are appended to: an access or audit log. It can be opened anew after somebody moved it away.

import { closeSync, fstatSync, openSync, writeSync } from "node:fs";

import { fileError } from "../storage/file-error.ts";

/** See the head of this file. "-" is the standard output. */
export class LineFile implements Disposable {
  readonly path: string;
  readonly #gather: boolean;
  #descriptor: number;
  #gathered: string[] = [];

  /**
   * With `gather`, the lines of one turn of the event loop are written together when it ends, into files; a pipe gets each line as a
   * whole.
   * @throws TeuError `denied`, `not-found`.
   */
  constructor(path: string, { gather }: { readonly gather: boolean }) {
    this.path = path;
    this.#descriptor = open(path);
    this.#gather = gather && fstatSync(this.#descriptor).isFile();
  }

  /** Writes a line: what is written is in the file even when the process is killed next, at once without `gather`. Never throws. */
  write(line: string): void {
    if (!this.#gather) return this.#append(line);
    if (this.#gathered.push(line) === 1) setImmediate(() => this.#flush());
  }

  /** Opens it anew. @throws TeuError as the constructor; the old one then stays open. */
  reopen(): void {
    const next = open(this.path);
    this[Symbol.dispose]();
    this.#descriptor = next;
  }

  [Symbol.dispose](): void {
    this.#flush();
    if (this.#descriptor > 2) closeSync(this.#descriptor);
  }

  #flush(): void {
    if (this.#gathered.length === 0) return;
    const text = this.#gathered.join("");
    this.#gathered = [];
    this.#append(text);
  }

  #append(text: string): void {
    try {
      writeSync(this.#descriptor, text);
    } catch {
      // A full disk must not stop the registry from answering; whoever reads the log sees the gap.
    }
  }
}

function open(path: string): number {
  try {
    return path === "-" ? 1 : openSync(path, "a", 0o640);
  } catch (error) {
    throw fileError("open log", path, error);
  }
}
