// Content digests: "algorithm:encoded" as a distinct type, made, checked and computed (image-spec, descriptor.md "Digests").
// Unknown algorithms that fit the grammar are valid names; computing them is refused.
// The grammar has no "/" and no "..": a parsed digest is safe as part of a path (CVE-2024-3727).

import { readSync } from "node:fs";

import { TeuError } from "@teu/base/errors";
import { hasher } from "@teu/files/bulk";
import { hashChunk, hashChunkLater, hashFile } from "@teu/files/hash-pairs";
import type { HashedBytes } from "@teu/files/file-writer";

import { Blake3 } from "./blake3.ts";

declare const brand: unique symbol;

/** A digest whose text was checked by `parseDigest`: "sha256:<64 hex>". */
export type Digest = string & { readonly [brand]: "digest" };

/** Algorithms that can be computed here. */
export type DigestAlgorithm = "sha256" | "sha512" | "blake3";

/** Computes one digest over bytes as they pass. */
export interface Digester {
  readonly algorithm: DigestAlgorithm;
  /** Bytes taken so far. */
  readonly size: number;
  update(chunk: Uint8Array): void;
  /** Ends the computation; a second call throws. */
  digest(): Digest;
}

/** As `Digester`, hashing in the thread pool, beside what its owner does meanwhile. */
export interface PoolDigester {
  /** Bytes taken so far, those under way included. */
  readonly size: number;
  /** The chunk must stay as it is until the promise is settled; one call at a time. */
  update(chunk: Uint8Array): Promise<void>;
  /** As `update`, for who has something else to do first: what is returned is to be called, and awaited, before the next call. */
  updateLater(chunk: Uint8Array): () => Promise<void>;
  /**
   * Instead of `update`, for who has a call into the thread pool anyhow: what is returned is to be hashed there. Undefined: it is
   * done already.
   */
  handOver(chunk: Uint8Array): HashedBytes | undefined;
  /** Takes `length` bytes of an open file from `offset` on, or what there is of them; resolves to how many. One call at a time. */
  updateFromFile(fd: number, offset: number, length: number): Promise<number>;
  digest(): Digest;
}

const GRAMMAR = /^([a-z0-9]+(?:[+._-][a-z0-9]+)*):([A-Za-z0-9=_-]+)$/;
/** Longest text taken for a digest; sha512 needs 135. */
const LONGEST = 512;

const REGISTERED: Readonly<Record<string, RegExp>> = {
  sha256: /^[a-f0-9]{64}$/,
  sha512: /^[a-f0-9]{128}$/,
  blake3: /^[a-f0-9]{64}$/,
};

/**
 * Checks the text of a digest: the grammar, and length and alphabet of registered algorithms.
 * @throws TeuError `invalid`.
 */
export function parseDigest(text: string): Digest {
  const why = digestFault(text);
  if (why !== null) {
    const shown = typeof text === "string" ? text.slice(0, 200) : String(text);
    throw new TeuError({ code: "invalid", op: "read digest", subject: shown, message: why });
  }
  return text as Digest;
}

/** Whether `parseDigest` would take the text. */
export function isDigest(text: string): text is Digest {
  return digestFault(text) === null;
}

function digestFault(text: string): string | null {
  if (typeof text !== "string" || text.length > LONGEST) return `want at most ${LONGEST} characters of text`;
  const match = GRAMMAR.exec(text);
  if (match === null) return 'want "algorithm:encoded", as in "sha256:<64 hex digits>"';
  const form = REGISTERED[match[1] as string];
  if (form !== undefined && !form.test(match[2] as string)) {
    const length = match[1] === "sha512" ? 128 : 64;
    return `want ${length} lower-case hex digits after "${match[1]}:"`;
  }
  return null;
}

/** The part before the colon: "sha256". */
export function digestAlgorithm(digest: Digest): string {
  return digest.slice(0, digest.indexOf(":"));
}

/** The part after the colon. */
export function digestEncoded(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** The first 12 characters of the encoded part, as people are shown it. */
export function shortDigest(digest: Digest): string {
  return digestEncoded(digest).slice(0, 12);
}

/** The algorithm to compute for comparing with a digest: sha256 for none, and for those that nobody here can compute, which then differ. */
export function algorithmFor(digest: Digest | undefined): DigestAlgorithm {
  const algorithm = digest === undefined ? "sha256" : digestAlgorithm(digest);
  return isComputable(algorithm) ? algorithm : "sha256";
}

/** The digest of bytes or of a text's UTF-8. */
export function digestOf(content: Uint8Array | string, algorithm: DigestAlgorithm = "sha256"): Digest {
  const digester = createDigester(algorithm);
  digester.update(typeof content === "string" ? Buffer.from(content) : content);
  return digester.digest();
}

/**
 * Starts computing a digest.
 * @throws TeuError `unsupported` for an algorithm that cannot be computed here.
 */
export function createDigester(algorithm: string = "sha256"): Digester {
  if (!isComputable(algorithm)) throw notComputable(algorithm);
  const hash = algorithm === "blake3" ? new Blake3() : hasher(algorithm === "sha256" ? 256 : 512);
  let size = 0;
  let ended = false;
  return {
    algorithm,
    get size() {
      return size;
    },
    update(chunk) {
      hash.take(chunk);
      size += chunk.length;
    },
    digest() {
      if (ended) throw new TeuError({ code: "internal", op: "compute digest", message: "it was asked for already" });
      ended = true;
      return `${algorithm}:${hash.digest()}` as Digest;
    },
  };
}

/** As `createDigester`, for streams whose reader has something else to do. @throws TeuError `unsupported`. */
export function createPoolDigester(algorithm: string = "sha256"): PoolDigester {
  if (!isComputable(algorithm)) throw notComputable(algorithm);
  if (algorithm === "blake3") return onThisThread(createDigester(algorithm));
  const pairs = algorithm === "sha256";
  const hash = hasher(pairs ? 256 : 512);
  let size = 0;
  return {
    get size() {
      return size;
    },
    update(chunk) {
      size += chunk.length;
      return pairs ? hashChunk(hash, chunk) : hash.update(chunk);
    },
    updateLater(chunk) {
      size += chunk.length;
      if (pairs) return hashChunkLater(hash, chunk);
      const hashed = hash.update(chunk);
      return () => hashed;
    },
    handOver(bytes) {
      size += bytes.length;
      return { hasher: hash, bytes };
    },
    async updateFromFile(fd, offset, length) {
      const read = await (pairs ? hashFile(hash, fd, offset, length) : hash.updateFromFile(fd, offset, length));
      size += read;
      return read;
    },
    digest: () => `${algorithm}:${hash.digest()}` as Digest,
  };
}

/** BLAKE3 is seldom and has no place in the addon. */
function onThisThread(digester: Digester): PoolDigester {
  return {
    get size() {
      return digester.size;
    },
    update: async (chunk) => digester.update(chunk),
    updateLater(chunk) {
      digester.update(chunk);
      return async () => {};
    },
    handOver: (chunk) => digester.update(chunk) as undefined,
    async updateFromFile(fd, offset, length) {
      const buffer = Buffer.allocUnsafe(Math.min(length, 1 << 20));
      for (let done = 0; ;) {
        const read = readSync(fd, buffer, 0, Math.min(buffer.length, length - done), offset + done);
        if (read === 0) return done;
        digester.update(buffer.subarray(0, read));
        done += read;
      }
    },
    digest: () => digester.digest(),
  };
}

function notComputable(algorithm: string): TeuError {
  return new TeuError({
    code: "unsupported",
    op: "compute digest",
    subject: algorithm,
    message: "unknown digest algorithm",
    hint: "sha256, sha512 and blake3 can be verified here",
  });
}

function isComputable(algorithm: string): algorithm is DigestAlgorithm {
  return algorithm === "sha256" || algorithm === "sha512" || algorithm === "blake3";
}
