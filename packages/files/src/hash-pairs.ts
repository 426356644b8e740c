// SHA-256 of streams that are under way at the same time: the next pieces of two of them go to one thread together, which hashes both
// in two thirds of the time that it needs for one after the other (native/node/src/sha256.rs).

import type { HashedPart, NativeHasher } from "./addon.ts";
import { poolThreads } from "./thread-pool.ts";

/** What is to be hashed next of one stream, in the thread pool. */
interface Piece<Source, Result> {
  readonly hasher: NativeHasher;
  readonly source: Source;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
  /** Whether it waits for a second one: its stream does not need it yet. */
  held: boolean;
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

/** Another stream that had a piece this long ago, in milliseconds, is likely to have another one soon. */
const RECENT = 10;

/** Pieces of one kind. Those that come in one turn of the event loop go two by two; the last one alone, when a thread is idle. */
class Pairs<Source, Result> {
  readonly #kind: Kind<Source, Result>;
  readonly #waiting: Piece<Source, Result>[] = [];
  /** Calls under way, of one piece or two. */
  #running = 0;
  #soon = false;
  #last: NativeHasher | null = null;
  /** When two pieces of different streams came one after the other. */
  #several = Number.NEGATIVE_INFINITY;

  constructor(kind: Kind<Source, Result>) {
    this.#kind = kind;
  }

  hash(hasher: NativeHasher, source: Source): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ hasher, source, resolve, reject, held: false });
      this.#startSoon();
    });
  }

  /** As `hash`, for who has something else to do first: calls what is returned when it is needed. */
  hashLater(hasher: NativeHasher, source: Source): () => Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const piece = { hasher, source, resolve, reject, held: this.#othersThan(hasher) };
    this.#waiting.push(piece);
    if (!piece.held || this.#waiting.length > 1) this.#startSoon();
    return () => {
      if (piece.held && this.#waiting.includes(piece)) this.#startSoon();
      piece.held = false;
      return promise;
    };
  }

  /** Whether a piece of another stream is likely to come while this one waits. */
  #othersThan(hasher: NativeHasher): boolean {
    const now = performance.now();
    if (this.#last !== hasher) this.#several = now;
    this.#last = hasher;
    return now - this.#several < RECENT;
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
      if (piece === undefined) return;
      if (other === undefined && (piece.held || this.#running >= poolThreads())) return;
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

/** As `hashChunk`, for who has something else to do first: calls what is returned when the bytes have to be taken. */
export function hashChunkLater(hasher: NativeHasher, data: Uint8Array): () => Promise<void> {
  return chunks.hashLater(hasher, data);
}

/** As `Hasher.updateFromFile`, of a SHA-256. */
export function hashFile(hasher: NativeHasher, fd: number, offset: number, length: number): Promise<number> {
  return files.hash(hasher, { fd, offset, length });
}
