// Files of a layer on their way to the disk: gathered while the tar is read, written by the thread pool. Whoever looks at a
// name of the target asks here first (`settle`); then it sees what it would if every file had been written at once.

import {
  type ArchivedFiles,
  type FilePiece,
  FileWriter,
  type HashedBytes,
  type PlannedFiles,
  type Turn,
  writeError,
} from "@teu/files/file-writer";

import { unpackError } from "./unpack-error.ts";

/** What a file is called in errors: all of its name as the archive has it, from the last component. */
export type Subject = (name: string) => string;

/** The files of one layer; `flush` at the end of each chunk, dispose in any case. */
export class PendingFiles implements Disposable {
  readonly #writer = new FileWriter<Subject>((subject, name, error) =>
    unpackError(subject(name), writeError(name, error)),
  );
  /** Names of files by directory: those that are gathered, and those that the thread pool has. */
  #gathered = new Places();
  #underWay = new Places();

  /** Gathers a piece of a file in the directory. */
  add(directory: string, subject: Subject, piece: FilePiece): void {
    this.#writer.add(piece, subject);
    this.#gathered.of(directory).add(piece.name);
  }

  /** Gathers files of an archive in the directory, up to the first whose name `claim` does not want. */
  addArchived(
    directory: string,
    files: ArchivedFiles,
    claim: (name: string) => boolean,
    subject: Subject,
  ): PlannedFiles {
    const names = this.#gathered.of(directory);
    const take = (name: string): boolean => claim(name) && names.add(name) === names;
    return this.#writer.addArchived(files, take, subject);
  }

  /** When this returns, the file at `place` is written, if there was one to come. */
  settle(directory: string, name: string): void {
    if (this.#gathered.has(directory, name) || this.#underWay.has(directory, name)) this.drain();
  }

  /** Everything is written when this returns. @throws TeuError of the first file that cannot be. */
  drain(): void {
    this.#gathered.clear();
    this.#underWay.clear();
    this.#writer.drain();
  }

  /**
   * Hands what was gathered to the thread pool, when what it had before is written: the chunk before the present one is not
   * needed any more. `hashed` and `beside` go with it. @throws TeuError of the first file that cannot be written.
   */
  async flush(hashed?: HashedBytes, beside?: HashedBytes): Promise<Turn> {
    const turn = await this.#writer.flush(hashed, beside);
    this.#underWay.clear();
    [this.#gathered, this.#underWay] = [this.#underWay, this.#gathered];
    return turn;
  }

  [Symbol.dispose](): void {
    this.#writer[Symbol.dispose]();
  }
}

/** Files by directory and name. */
class Places {
  readonly #names = new Map<string, Set<string>>();
  /** That of the last file, since files of one directory follow each other. */
  #directory = "";
  #last: Set<string> | null = null;

  /** Those of one directory, to be added to. */
  of(directory: string): Set<string> {
    if (this.#last === null || this.#directory !== directory) {
      this.#last = this.#names.get(directory) ?? new Set();
      this.#directory = directory;
      this.#names.set(directory, this.#last);
    }
    return this.#last;
  }

  has(directory: string, name: string): boolean {
    return this.#names.get(directory)?.has(name) === true;
  }

  clear(): void {
    this.#names.clear();
    this.#last = null;
  }
}
