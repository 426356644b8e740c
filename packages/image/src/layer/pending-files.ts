// Files of a layer on their way to the disk: gathered while the tar is read, written by the thread pool. Whoever looks at a
// name of the target asks here first (`settle`); then it sees what it would if every file had been written at once.

import { type FilePiece, FileWriter, writeError } from "@teu/files/file-writer";

import { unpackError } from "./unpack-error.ts";

interface Tag {
  /** Of the file in its directory. */
  readonly name: string;
  /** As the archive has it. */
  readonly subject: string;
}

/** The files of one layer; `flush` at the end of each chunk, dispose in any case. */
export class PendingFiles implements Disposable {
  readonly #writer = new FileWriter<Tag>(({ name, subject }, error) => unpackError(subject, writeError(name, error)));
  /** Places of files that are gathered, and of those that the thread pool has. */
  #gathered = new Set<string>();
  #underWay = new Set<string>();

  /** Gathers a piece of the file at `place`; `subject` is its name in errors. */
  add(place: string, subject: string, piece: FilePiece): void {
    this.#writer.add(piece, { name: piece.name, subject });
    this.#gathered.add(place);
  }

  /** When this returns, the file at `place` is written, if there was one to come. */
  settle(directory: string, name: string): void {
    if (this.#gathered.size === 0 && this.#underWay.size === 0) return;
    const place = `${directory}/${name}`;
    if (this.#gathered.has(place) || this.#underWay.has(place)) this.drain();
  }

  /** Everything is written when this returns. @throws TeuError of the first file that cannot be. */
  drain(): void {
    this.#gathered.clear();
    this.#underWay.clear();
    this.#writer.drain();
  }

  /**
   * Hands what was gathered to the thread pool, when what it had before is written: the chunk before the present one is not
   * needed any more. @throws TeuError of the first file that cannot be written.
   */
  async flush(): Promise<void> {
    await this.#writer.flush();
    this.#underWay.clear();
    [this.#gathered, this.#underWay] = [this.#underWay, this.#gathered];
  }

  [Symbol.dispose](): void {
    this.#writer[Symbol.dispose]();
  }
}
