// SHA-256 of streams that are under way at the same time: the next pieces of two of them go to one thread together, which hashes both
// in little more than half of the time that it needs for one after the other (native/node/src/sha256.rs).

import type { HashedPart, NativeHasher } from "./addon.ts";

/** What is to be hashed next of one stream, in the thread pool. */
interface Piece<Source, Result> {
  readonly hasher: NativeHasher;
  readonly source: Source;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/** What became of a piece. */
type Outcome<Result> = { readonly result: Result } | { readonly error: Error };

/** How pieces of one kind are hashed. */
interface Kind<Source, Result> {
  one(hasher: NativeHasher, source: Source): Promise<Result>;
  two(
    hasher: NativeHasher,
    source: Source,
    other: NativeHasher,
    otherSource: Source,
  ): Promise<readonly [Outcome<Result>, Outcome<Result>]>;
}

/** Threads of libuv's pool. */
const threads = (): number => Number(process.env["UV_THREADPOOL_SIZE"] ?? "4");

/** Pieces of one kind. Those that come in one turn of the event loop go two by two; the last one alone, when a thread is idle. */
class Pairs<Source, Result> {
  readonly #kind: Kind<Source, Result>;
  readonly #waiting: Piece<Source, Result>[] = [];
  /** Calls under way, of one piece or two. */
  #running = 0;
  #soon = false;

  constructor(kind: Kind<Source, Result>) {
    this.#kind = kind;
  }

  hash(hasher: NativeHasher, source: Source): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ hasher, source, resolve, reject });
      this.#startSoon();
    });
  }

  /** Not at once: two that were hashed together are told together, and have their next pieces in a moment. */
  #startSoon(): void {
    if (this.#soon) return;
    this.#soon = true;
    setImmediate(() => {
      this.#soon = false;
      this.#start();
    });
  }

  #start(): void {
    for (;;) {
      const [piece, other] = this.#waiting;
      if (piece === undefined || (other === undefined && this.#running >= threads())) return;
      this.#waiting.splice(0, 2);
      void (other === undefined ? this.#one(piece) : this.#two(piece, other));
    }
  }

  async #one(piece: Piece<Source, Result>): Promise<void> {
    this.#running++;
    try {
      piece.resolve(await this.#kind.one(piece.hasher, piece.source));
    } catch (error) {
      piece.reject(error);
    }
    this.#over();
  }

  async #two(piece: Piece<Source, Result>, other: Piece<Source, Result>): Promise<void> {
    this.#running++;
    try {
      const outcomes = await this.#kind.two(piece.hasher, piece.source, other.hasher, other.source);
      settle(piece, outcomes[0]);
      settle(other, outcomes[1]);
    } catch (error) {
      piece.reject(error);
      other.reject(error);
    }
    this.#over();
  }

  #over(): void {
    this.#running--;
    if (this.#waiting.length > 0) this.#startSoon();
  }
}

function settle<Source, Result>(piece: Piece<Source, Result>, outcome: Outcome<Result>): void {
  if ("error" in outcome) piece.reject(outcome.error);
  else piece.resolve(outcome.result);
}

/** A part of an open file. */
interface FilePart {
  readonly fd: number;
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

const DONE: Outcome<void> = { result: undefined };

const chunks = new Pairs<Uint8Array, void>({
  one: (hasher, data) => hasher.update(data),
  two: async (hasher, data, other, otherData) => {
    await hasher.updateTwo(data, other, otherData);
    return [DONE, DONE];
  },
});

const files = new Pairs<FilePart, number>({
  one: (hasher, { fd, offset, length }) => hasher.updateFromFile(fd, offset, length),
  two: async (hasher, { fd, offset, length }, other, part) => {
    const told = await hasher.updateTwoFromFiles(fd, offset, length, other, part.fd, part.offset, part.length);
    return [outcomeOf(told[0]), outcomeOf(told[1])];
  },
});

function outcomeOf({ bytes, message }: HashedPart): Outcome<number> {
  return message === "" ? { result: bytes } : { error: new Error(message) };
}

/** As `Hasher.update`, of a SHA-256. */
export function hashChunk(hasher: NativeHasher, data: Uint8Array): Promise<void> {
  return chunks.hash(hasher, data);
}

/** As `Hasher.updateFromFile`, of a SHA-256. */
export function hashFile(hasher: NativeHasher, fd: number, offset: number, length: number): Promise<number> {
  return files.hash(hasher, { fd, offset, length });
}
