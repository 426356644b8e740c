// Contents of files kept on disk until a tar is written of them: one file without a name, gone whatever happens to the process.

import { closeSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";

import { TeuError } from "@teu/base/errors";
import { fileError } from "@teu/files/addon";
import { randomHex } from "@teu/files/random";
import { readBuffer } from "@teu/files/read-buffer";

import type { SparseSegment } from "../tar/entry.ts";
import type { FileFacts } from "./merged-tree.ts";
import type { ContentTaker } from "./read-tree.ts";

/** A piece of a file and where it is in the spool. */
interface Piece {
  readonly offset: number;
  readonly at: number;
  length: number;
}

const READ_BYTES = 1 << 20;

/** Takes contents, and gives them again. Disposing frees the disk. */
export class Spool implements Disposable {
  readonly #fd: number;
  #end = 0;

  /** @throws TeuError when no file can be made in `directory`. */
  constructor(directory: string) {
    const path = join(directory, `.teu-spool.${randomHex(6)}`);
    try {
      this.#fd = openSync(path, "wx+", 0o600);
      unlinkSync(path);
    } catch (error) {
      throw fileError("keep contents", directory, error);
    }
  }

  /** Takes one file's content; what `end` gives is for `open`. */
  take(): ContentTaker {
    const pieces: Piece[] = [];
    return {
      data: (chunk, offset) => {
        const last = pieces.at(-1);
        if (last !== undefined && last.offset + last.length === offset) last.length += chunk.length;
        else pieces.push({ offset, at: this.#end, length: chunk.length });
        this.#write(chunk);
      },
      end: () => pieces,
    };
  }

  /** A file's whole content, holes as zeros. */
  *open({ content, size }: FileFacts): Generator<Uint8Array> {
    let position = 0;
    for (const { offset, at, length } of piecesOf(content)) {
      yield* zeros(offset - position);
      yield* this.#read(at, length);
      position = offset + length;
    }
    yield* zeros(size - position);
  }

  /** A file's content without its holes, where each piece belongs. */
  *chunks({ content }: FileFacts): Generator<{ readonly offset: number; readonly data: Uint8Array }> {
    for (const { offset, at, length } of piecesOf(content)) {
      let done = 0;
      for (const data of this.#read(at, length)) {
        yield { offset: offset + done, data };
        done += data.length;
      }
    }
  }

  /** Where its content is, of a file with holes; null for others. */
  holes({ content, size }: FileFacts): readonly SparseSegment[] | null {
    const pieces = piecesOf(content);
    return pieces.reduce((sum, { length }) => sum + length, 0) === size
      ? null
      : pieces.map(({ offset, length }) => ({ offset, length }));
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  #write(chunk: Uint8Array): void {
    try {
      for (let done = 0; done < chunk.length;) {
        const written = writeSync(this.#fd, chunk, done, chunk.length - done, this.#end);
        done += written;
        this.#end += written;
      }
    } catch (error) {
      throw fileError("keep contents", "temporary file", error);
    }
  }

  *#read(at: number, length: number): Generator<Uint8Array> {
    for (let done = 0; done < length;) {
      const buffer = readBuffer(Math.min(READ_BYTES, length - done));
      const count = readSync(this.#fd, buffer, 0, buffer.length, at + done);
      if (count === 0) throw new TeuError({ code: "internal", op: "read contents", message: "the spool is too short" });
      yield buffer.subarray(0, count);
      done += count;
    }
  }
}

/** What `end` of a taker gave; nothing for what has no content. */
function piecesOf(content: unknown): readonly Piece[] {
  return (content as readonly Piece[] | undefined) ?? [];
}

function* zeros(count: number): Generator<Uint8Array> {
  for (let left = count; left > 0; left -= READ_BYTES) yield new Uint8Array(Math.min(READ_BYTES, left));
}
