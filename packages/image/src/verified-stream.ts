// Verifies bytes in the act of reading: size while they pass, digest at their end.
// For registry bodies, store reads and layout files alike; what happens on failure is the reader's business.

import { TeuError } from "@teu/base/errors";
import type { HashedBytes } from "@teu/files/file-writer";

import type { ExpectedBlob } from "./content-store.ts";
import {
  createDigester,
  createPoolDigester,
  type Digest,
  digestAlgorithm,
  type Digester,
  type PoolDigester,
} from "./digest.ts";

/** Checks chunks against an expected size and digest, one by one. */
class Verifier<D extends Digester | PoolDigester> {
  readonly #op: string;
  readonly #expected: ExpectedBlob;
  readonly #digester: D;

  /** `op` names the action in errors: "read blob". */
  protected constructor(op: string, expected: ExpectedBlob, create: (algorithm: string) => D) {
    this.#op = op;
    this.#expected = expected;
    this.#digester = create(expected.digest === undefined ? "sha256" : digestAlgorithm(expected.digest));
  }

  /** Bytes seen so far. */
  get size(): number {
    return this.#digester.size;
  }

  /** @throws TeuError `corrupt` as soon as there are more bytes than expected. */
  update(chunk: Uint8Array): ReturnType<D["update"]> {
    return this.checked(chunk).update(chunk) as ReturnType<D["update"]>;
  }

  /** The digester, for these bytes. */
  protected checked(chunk: Uint8Array): D {
    const { size } = this.#expected;
    // Size before hash: an endless body must cost nothing more than what was declared.
    if (size !== undefined && this.#digester.size + chunk.length > size) {
      throw this.#corrupt(`longer than the ${size} bytes declared`);
    }
    return this.#digester;
  }

  /** The digest of everything. @throws TeuError `corrupt` when size or digest differ from the expected. */
  finish(): Digest {
    const { size, digest } = this.#expected;
    if (size !== undefined && this.#digester.size !== size) {
      throw this.#corrupt(`${this.#digester.size} bytes instead of the ${size} declared`);
    }
    const found = this.#digester.digest();
    if (digest !== undefined && found !== digest) throw this.#corrupt(`content has digest ${found}`);
    return found;
  }

  #corrupt(message: string): TeuError {
    const subject = this.#expected.digest;
    return new TeuError({ code: "corrupt", op: this.#op, ...(subject === undefined ? {} : { subject }), message });
  }
}

/** Hashes on the thread that calls. */
export class BlobVerifier extends Verifier<Digester> {
  /** See `Verifier`. */
  constructor(op: string, expected: ExpectedBlob) {
    super(op, expected, createDigester);
  }
}

/** Hashes in the thread pool: a chunk must stay as it is until the promise of `update` is settled, one at a time. */
export class PoolBlobVerifier extends Verifier<PoolDigester> {
  /** See `Verifier`. */
  constructor(op: string, expected: ExpectedBlob) {
    super(op, expected, createPoolDigester);
  }

  /** As `PoolDigester.updateLater`. @throws TeuError as `update`. */
  updateLater(chunk: Uint8Array): () => Promise<void> {
    return this.checked(chunk).updateLater(chunk);
  }

  /** As `PoolDigester.handOver`. @throws TeuError as `update`. */
  handOver(chunk: Uint8Array): HashedBytes | undefined {
    return this.checked(chunk).handOver(chunk);
  }
}

/** Passes `source` through, and throws `corrupt` when it ends (or outgrows its size) as something else than expected. */
export async function* verifyStream(
  source: AsyncIterable<Uint8Array>,
  expected: ExpectedBlob,
  op: string = "read blob",
): AsyncIterable<Uint8Array> {
  const verifier = new BlobVerifier(op, expected);
  for await (const chunk of source) {
    verifier.update(chunk);
    yield chunk;
  }
  verifier.finish();
}

/**
 * As `verifyStream`, hashing in the thread pool while the reader has the chunk and the next one is read: for large chunks, which the reader
 * does not change, nor `source` before the chunk after the next one is asked for.
 */
export async function* verifyStreamBeside(
  source: AsyncIterable<Uint8Array>,
  expected: ExpectedBlob,
  op: string = "read blob",
): AsyncIterable<Uint8Array> {
  const verifier = new PoolBlobVerifier(op, expected);
  let hashed: (() => Promise<void>) | null = null;
  try {
    for await (const chunk of source) {
      await hashed?.();
      hashed = verifier.updateLater(chunk);
      yield chunk;
    }
  } finally {
    await hashed?.();
  }
  verifier.finish();
}

/**
 * Everything of `source` in one array.
 * @throws TeuError `exhausted` when longer than `limit` bytes.
 */
export async function collectBytes(
  source: AsyncIterable<Uint8Array>,
  limit: number,
  op: string = "read blob",
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > limit) {
      throw new TeuError({ code: "exhausted", op, message: `longer than the limit of ${limit} bytes` });
    }
    chunks.push(chunk);
  }
  return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks, size);
}
