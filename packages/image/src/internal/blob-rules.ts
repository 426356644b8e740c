// Rules that every content store shares: ranges, sizes, and the errors for what is not there.

import { TeuError } from "@teu/base/errors";

import type { BlobRange } from "../content-store.ts";
import type { Digest } from "../digest.ts";

/** The error for a digest that a store does not hold. */
export function blobNotFound(digest: Digest): TeuError {
  return new TeuError({ code: "not-found", op: "read blob", subject: digest, message: "no such blob" });
}

/** The error for a blob larger than its reader is ready to hold. */
export function blobTooLarge(digest: Digest, size: number, limit: number): TeuError {
  return new TeuError({
    code: "exhausted",
    op: "read blob",
    subject: digest,
    message: `${size} bytes, limit is ${limit}`,
  });
}

/** The error for using an ingest after commit, abort or disposal. */
export function ingestClosed(key: string): TeuError {
  return new TeuError({ code: "conflict", op: "write blob", subject: key, message: "ingest has ended" });
}

/** @throws TeuError `corrupt` when a blob being written outgrows its declared size. */
export function checkGrowth(key: string, size: number, declared: number | undefined): void {
  if (declared !== undefined && size > declared) {
    throw new TeuError({
      code: "corrupt",
      op: "write blob",
      subject: key,
      message: `longer than the ${declared} bytes declared`,
    });
  }
}

/** First byte and the byte after the last of a range; @throws TeuError `invalid` outside the blob. */
export function resolveRange(digest: Digest, size: number, range: BlobRange = {}): { start: number; end: number } {
  const start = range.offset ?? 0;
  const end = range.length === undefined ? size : start + range.length;
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start || end > size) {
    throw new TeuError({
      code: "invalid",
      op: "read blob",
      subject: digest,
      message: `range ${start}-${end} of a blob of ${size} bytes`,
    });
  }
  return { start, end };
}

/** The error for a file that lost bytes under our hands. */
export function shortened(op: string, subject: string): TeuError {
  return new TeuError({ code: "corrupt", op, subject, message: "the file became shorter while it was read" });
}
