// A file that lines are appended to: an access or audit log. It can be opened anew after somebody moved it away.

import { closeSync, openSync, writeSync } from "node:fs";

import { fileError } from "../storage/file-error.ts";

/** See the head of this file. "-" is the standard output. */
export class LineFile implements Disposable {
  readonly path: string;
  #descriptor: number;

  /** @throws TeuError `denied`, `not-found`. */
  constructor(path: string) {
    this.path = path;
    this.#descriptor = open(path);
  }

  /** Writes a line, at once: what is written is in the file even when the process is killed next. Never throws. */
  write(line: string): void {
    try {
      writeSync(this.#descriptor, line);
    } catch {
      // A full disk must not stop the registry from answering; whoever reads the log sees the gap.
    }
  }

  /** Opens it anew. @throws TeuError as the constructor; the old one then stays open. */
  reopen(): void {
    const next = open(this.path);
    this[Symbol.dispose]();
    this.#descriptor = next;
  }

  [Symbol.dispose](): void {
    if (this.#descriptor > 2) closeSync(this.#descriptor);
  }
}

function open(path: string): number {
  try {
    return path === "-" ? 1 : openSync(path, "a", 0o640);
  } catch (error) {
    throw fileError("open log", path, error);
  }
}
