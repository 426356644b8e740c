// The files of a container's log: container.log and its rotated elders, read as lines of bytes from any point.

import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Bytes per read. */
const CHUNK = 256 * 1024;
const NEWLINE = 10;

/** Paths of the log's files, oldest first. */
export function logFiles(log: string): string[] {
  const prefix = `${basename(log)}.`;
  const elders = readdirSync(dirname(log))
    .flatMap((name) =>
      name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)) ? [Number(name.slice(prefix.length))] : [],
    )
    .toSorted((a, b) => b - a)
    .map((number) => join(dirname(log), `${prefix}${number}`));
  return statSync(log, { throwIfNoEntry: false }) === undefined ? elders : [...elders, log];
}

/** One open file of the log; keeps its place. Closed by who opened it. */
export class LogFile implements Disposable {
  readonly inode: number;
  readonly #fd: number;
  #offset: number;
  #rest: Buffer = Buffer.alloc(0);

  private constructor(fd: number, offset: number) {
    this.#fd = fd;
    this.#offset = offset;
    this.inode = fstatSync(fd).ino;
  }

  /** Null when the file is gone (rotated away). */
  static open(path: string, offset = 0): LogFile | null {
    try {
      return new LogFile(openSync(path, "r"), offset);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
  }

  /** Complete lines from where the last call ended; a line that is still being written waits for the next call. */
  *lines(): Generator<string> {
    const buffer = Buffer.alloc(CHUNK);
    for (;;) {
      const count = readSync(this.#fd, buffer, 0, CHUNK, this.#offset);
      if (count === 0) return;
      this.#offset += count;
      let data = Buffer.concat([this.#rest, buffer.subarray(0, count)]);
      for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE)) {
        yield data.toString("utf8", 0, end);
        data = data.subarray(end + 1);
      }
      this.#rest = Buffer.from(data);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** Where the last `count` lines begin: how many of them the file has, and the offset of the first. */
export function tailOffset(path: string, count: number): { readonly lines: number; readonly offset: number } {
  const fd = openSync(path, "r");
  try {
    const buffer = Buffer.alloc(CHUNK);
    let lines = 0;
    let end = fstatSync(fd).size;
    let first = true;
    while (end > 0) {
      const start = Math.max(0, end - CHUNK);
      const chunk = buffer.subarray(0, readSync(fd, buffer, 0, end - start, start));
      // The newline at the very end closes a line, it does not begin one.
      let at = chunk.lastIndexOf(NEWLINE, first ? chunk.length - 2 : chunk.length - 1);
      first = false;
      for (; at >= 0; at = at === 0 ? -1 : chunk.lastIndexOf(NEWLINE, at - 1)) {
        if (++lines === count) return { lines, offset: start + at + 1 };
      }
      end = start;
    }
    return { lines: first ? 0 : lines + 1, offset: 0 };
  } finally {
    closeSync(fd);
  }
}
