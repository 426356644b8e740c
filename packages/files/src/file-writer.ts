// Writes new files by plan: what is to be written is gathered in flat arrays, and one call hands many files to the thread pool,
// where they are written in order while the caller gathers the next ones. What a plan means is the caller's business:
// names must be free, directories open until their files are written.

import { attempt, fileError, type PlanWritten } from "./addon.ts";
import { splitTime } from "./attributes.ts";
import type { NewFile } from "./data.ts";
import { fileNameToBytes, hasEscape } from "./file-name.ts";

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

/** Records of one plan, and room for their names. A chunk of 1 MiB of a tar has at most 2,048 entries. */
const RECORDS = 2048;
const NAME_BYTES = 256 << 10;
/** Longest name in bytes for each unit of its string. */
const BYTES_PER_UNIT = 3;
/** The rest is native/node/src/write_files.rs' layout. */
const FIELDS = 11;
const BEGIN = 1;
const END = 2;
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

  clear(): void {
    this.tags.length = 0;
    this.data = NOTHING;
    this.#nameBytes = 0;
  }
}

/** `Tag` is what the caller wants to know a piece by when it fails. One at a time calls it. */
export class FileWriter<Tag> implements Disposable {
  readonly #failed: (tag: Tag, error: Error) => Error;
  readonly #native = attempt("write", "files", (addon) => new addon.FileWriter());
  #gathered = new Plan<Tag>();
  #spare = new Plan<Tag>();
  #underWay: { readonly plan: Plan<Tag>; readonly written: Promise<PlanWritten> } | null = null;

  /** `failed` makes the error to throw for a piece that could not be written. */
  constructor(failed: (tag: Tag, error: Error) => Error) {
    this.#failed = failed;
  }

  /** Gathers a piece. @throws what `failed` makes, of pieces before it, when there is no room. */
  add(piece: FilePiece, tag: Tag): void {
    if (!this.#gathered.takes(piece)) this.drain();
    this.#gathered.add(piece, tag);
  }

  /** Hands what was gathered to the thread pool, when what it had before is written. @throws what `failed` makes of that. */
  async flush(): Promise<void> {
    const before = this.#underWay;
    if (before !== null) this.#ended(await before.written);
    const plan = this.#gathered;
    if (plan.count === 0) return;
    const written = this.#native.start(plan.numbers, plan.names, plan.data, plan.count);
    this.#gathered = this.#spare;
    this.#underWay = { plan, written };
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
    const failed = done < plan.count ? (plan.tags[done] as Tag) : null;
    plan.clear();
    if (failed === null) return;
    // Nothing that comes after it is written.
    this.#gathered.clear();
    throw this.#failed(failed, Object.assign(new Error(message), { code }));
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
