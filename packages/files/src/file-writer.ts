// Writes new files by plan: what is to be written is gathered in flat arrays, and one call hands many files to the thread pool,
// where they are written, by two threads when both have time, while the caller gathers the next ones. What a plan means is the caller's business:
// names must be free, directories open until their files are written.

import { attempt, fileError, filesAddon, type PlanWritten } from "./addon.ts";
import { splitTime } from "./attributes.ts";
import type { Hasher } from "./bulk.ts";
import type { NewFile } from "./data.ts";
import { fileNameFromBytes, fileNameToBytes, hasEscape } from "./file-name.ts";

/** A piece of a new file; its pieces follow each other. */
export interface FilePiece extends NewFile {
  /** Of the directory; open until the piece is written. */
  readonly dirfd: number;
  /** One component, which must not exist. */
  readonly name: string;
  /** Must stay as it is until the piece is written. */
  readonly data: Uint8Array;
  /** The file is made with this piece. */
  readonly first: boolean;
  /** The file is whole with this piece: it gets its owner, mode and time. */
  readonly last: boolean;
}

/** Ordinary files that follow each other in a tar, all in one directory. */
export interface ArchivedFiles {
  /** A part of the archive; must stay as it is until they are written. */
  readonly archive: Uint8Array;
  /** Where in it the first one's header is. */
  readonly at: number;
  /** What their names have before the last component: a directory's text with its slash, or nothing. */
  readonly before: Uint8Array;
  /** Of that directory; open until they are written. */
  readonly dirfd: number;
}

/** The files that were gathered, from the first on. */
export interface PlannedFiles {
  /** Bytes of the archive that they take; 0 when not even the first is as plain as it must be. */
  readonly bytes: number;
  readonly count: number;
}

/**
 * The last component of the ordinary file that `FileWriter.addArchived` would take first; null when it would take none. Nothing is
 * gathered.
 */
export function firstArchived({ archive, at, before }: Omit<ArchivedFiles, "dirfd">): string | null {
  if (archive.byteOffset + archive.length > LARGEST_OFFSET) return null;
  const { bytes, names } = filesAddon().planFiles(archive, at, before, -1, 0, SCRATCH);
  return bytes === 0 ? null : names.slice(0, -1);
}

/** Bytes for a digest that is being computed. */
export interface HashedBytes {
  readonly hasher: Hasher;
  readonly bytes: Uint8Array;
}

/** What the thread pool has been given. */
export interface Turn {
  /** Resolves when it is done with it, whatever came of it. */
  readonly done: Promise<unknown>;
}

/** Records of one plan, and room for their names. A chunk of 1 MiB of a tar has at most 2,048 entries. */
const RECORDS = 2048;
const NAME_BYTES = 256 << 10;
/** Longest name in bytes for each unit of its string. */
const BYTES_PER_UNIT = 3;
/** The rest is native/node/src/write_files.rs' layout. */
const FIELDS = 11;
const BEGIN = 1;
const END = 2;
/** The name is where the data is. */
const NAME_IN_DATA = 4;
/** Of a record's fields, where its name begins; its length follows. */
const NAME_AT = 7;
/** What the addon takes for a place in memory. */
const LARGEST_OFFSET = 0xffff_ffff;
/** Room for one record. */
const SCRATCH = new Float64Array(FIELDS);
const NO_FILES: PlannedFiles = { bytes: 0, count: 0 };
const NOTHING = new Uint8Array(0);

/** One plan with what it refers to. */
class Plan<Tag> {
  readonly numbers = new Float64Array(RECORDS * FIELDS);
  readonly names = Buffer.allocUnsafeSlow(NAME_BYTES);
  readonly tags: Tag[] = [];
  /** All of the memory that data is taken from. */
  data: Uint8Array = NOTHING;
  #nameBytes = 0;

  get count(): number {
    return this.tags.length;
  }

  /** Whether the piece has room, and its data is where that of the others is. */
  takes({ name, data }: FilePiece): boolean {
    if (this.count === RECORDS || NAME_BYTES - this.#nameBytes < name.length * BYTES_PER_UNIT) return false;
    return data.length === 0 || this.data.length === 0 || this.data.buffer === data.buffer;
  }

  add(piece: FilePiece, tag: Tag): void {
    const { name, data } = piece;
    const { numbers, names } = this;
    const at = this.#nameBytes;
    const length = hasEscape(name) ? putBytes(names, at, fileNameToBytes(name)) : names.write(name, at, "utf8");
    this.#nameBytes += length;
    if (data.length > 0 && this.data.length === 0) this.data = new Uint8Array(data.buffer);
    const [seconds, rest] = splitTime(piece.mtimeNs);
    let field = this.count * FIELDS;
    numbers[field++] = piece.dirfd;
    numbers[field++] = (piece.first ? BEGIN : 0) | (piece.last ? END : 0);
    numbers[field++] = piece.mode & 0o7777;
    // As the addon's other calls take them.
    numbers[field++] = piece.uid >>> 0;
    numbers[field++] = piece.gid >>> 0;
    numbers[field++] = seconds;
    numbers[field++] = rest;
    numbers[field++] = at;
    numbers[field++] = length;
    numbers[field++] = data.length === 0 ? 0 : data.byteOffset;
    numbers[field] = data.length;
    this.tags.push(tag);
  }

  /** Whether there is room for a file of an archive in this memory. */
  takesOf(archive: Uint8Array): boolean {
    return this.count < RECORDS && (this.data.length === 0 || this.data.buffer === archive.buffer);
  }

  /** Gathers as many as there is room for, up to the first that `claim` does not want. */
  addArchived(files: ArchivedFiles, claim: (name: string) => boolean, tag: Tag): PlannedFiles {
    const { archive, at, before, dirfd } = files;
    if (archive.byteOffset + archive.length > LARGEST_OFFSET) return NO_FILES;
    const begin = this.count * FIELDS;
    const room = this.numbers.subarray(begin);
    const planned = filesAddon().planFiles(archive, at, before, dirfd, archive.byteOffset, room);
    if (planned.bytes === 0) return NO_FILES;
    if (this.data.length === 0) this.data = new Uint8Array(archive.buffer);
    const names = planned.names.split("/");
    // What follows the last slash is no name.
    const wanted = names.length - 1;
    let count = 0;
    while (count < wanted && claim(names[count] as string)) {
      this.tags.push(tag);
      count++;
    }
    if (count === wanted) return { bytes: planned.bytes, count };
    // Where the first that is not wanted has its header.
    const next = (this.numbers[begin + count * FIELDS + NAME_AT] as number) - before.length;
    return { bytes: next - archive.byteOffset - at, count };
  }

  /** The bytes of a record's name. */
  name(index: number): Uint8Array {
    const record = this.numbers.subarray(index * FIELDS, (index + 1) * FIELDS);
    const [at = 0, length = 0] = record.subarray(NAME_AT);
    return (((record[1] ?? 0) & NAME_IN_DATA) === 0 ? this.names : this.data).subarray(at, at + length);
  }

  clear(): void {
    this.tags.length = 0;
    this.data = NOTHING;
    this.#nameBytes = 0;
  }
}

/** `Tag` is what the caller wants to know a piece by when it fails, besides its name. One at a time calls it. */
export class FileWriter<Tag> implements Disposable {
  readonly #failed: (tag: Tag, name: string, error: Error) => Error;
  readonly #native = attempt("write", "files", (addon) => new addon.FileWriter());
  #gathered = new Plan<Tag>();
  #spare = new Plan<Tag>();
  #underWay: { readonly plan: Plan<Tag>; readonly written: Promise<PlanWritten> } | null = null;

  /** `failed` makes the error to throw for a piece that could not be written. */
  constructor(failed: (tag: Tag, name: string, error: Error) => Error) {
    this.#failed = failed;
  }

  /** Gathers a piece. @throws what `failed` makes, of pieces before it, when there is no room. */
  add(piece: FilePiece, tag: Tag): void {
    if (!this.#gathered.takes(piece)) this.drain();
    this.#gathered.add(piece, tag);
  }

  /**
   * Gathers ordinary files of an archive, as far as they leave no question: POSIX or GNU headers, names of ASCII whose last component does
   * not begin with a dot, and there is room. `claim` is asked for each one's last component, and ends it with false.
   * @throws as `add`.
   */
  addArchived(files: ArchivedFiles, claim: (name: string) => boolean, tag: Tag): PlannedFiles {
    if (!this.#gathered.takesOf(files.archive)) this.drain();
    return this.#gathered.addArchived(files, claim, tag);
  }

  /**
   * Hands what was gathered to the thread pool, when what it had before is done. There `hashed` is hashed as well, in the same turn, and
   * `beside` it what belongs to another digest: both must stay as they are until then. @throws what `failed` makes of what it had before:
   * of the first piece that failed, behind which some may be written.
   */
  async flush(hashed?: HashedBytes, beside?: HashedBytes): Promise<Turn> {
    const before = this.#underWay;
    if (before !== null) this.#ended(await before.written);
    const plan = this.#gathered;
    if (plan.count === 0 && hashed === undefined && beside === undefined) return { done: Promise.resolve() };
    const { numbers, names, data, count } = plan;
    const [first, second] = hashed === undefined ? [beside] : [hashed, beside];
    const written = this.#native.start(
      numbers,
      names,
      data,
      count,
      first?.hasher,
      first?.bytes,
      second?.hasher,
      second?.bytes,
    );
    // A thread that has nothing else to do takes its part; never rejects.
    void this.#native.help();
    this.#gathered = this.#spare;
    this.#underWay = { plan, written };
    return { done: written };
  }

  /** All that was added is written when it returns; waits on this thread. @throws what `failed` makes. */
  drain(): void {
    if (this.#underWay !== null) this.#ended(this.#native.wait());
    const plan = this.#gathered;
    if (plan.count === 0) return;
    this.#check(plan, this.#native.run(plan.numbers, plan.names, plan.data, plan.count));
  }

  /** Waits for what is in the thread pool, drops what is not, and closes a file that is not whole. */
  [Symbol.dispose](): void {
    this.#native.close();
    this.#underWay = null;
    this.#gathered.clear();
  }

  #ended(written: PlanWritten): void {
    const plan = (this.#underWay as { plan: Plan<Tag> }).plan;
    this.#underWay = null;
    this.#spare = plan;
    this.#check(plan, written);
  }

  #check(plan: Plan<Tag>, { done, code, message }: PlanWritten): void {
    if (done === plan.count) return plan.clear();
    const [tag, name] = [plan.tags[done] as Tag, fileNameFromBytes(plan.name(done))];
    plan.clear();
    // Nothing that comes after it is written.
    this.#gathered.clear();
    throw this.#failed(tag, name, Object.assign(new Error(message), { code }));
  }
}

/** The error of a piece that failed, as `writeNewFile` has it. */
export function writeError(name: string, error: Error): Error {
  return fileError("write", name, error);
}

function putBytes(into: Buffer, at: number, bytes: Uint8Array): number {
  into.set(bytes, at);
  return bytes.length;
}
