// What the answers and checks of upload requests have in common: progress headers, and chunks that must fit the offset.

import { formatProgress, parseChunkRange } from "../wire/byte-range.ts";
import { UPLOAD_UUID } from "../wire/headers.ts";
import { uploadPath } from "../wire/routes.ts";
import type { Exchange } from "./exchange.ts";
import { Problem, problem } from "./problem.ts";
import type { HeldUpload } from "./upload-sessions.ts";

/** The route of one upload. */
export interface UploadRoute {
  readonly repository: string;
  readonly id: string;
}

/** Answers with where to go on. Locations are relative: a Host header, which anybody can write, never gets into an answer. */
export function sendProgress(exchange: Exchange, held: HeldUpload, status: 202 | 204): void {
  exchange.sendEmpty(status, progressHeaders(held));
}

/**
 * Checks a request's Content-Range against what the upload has; without one, anything fits.
 * `check` is to be called with the number of bytes that came: when it is another than announced, they are taken back.
 * @throws Problem 416 when the chunk is out of order, 400 when header and length differ.
 */
export function checkChunk(exchange: Exchange, held: HeldUpload): { check(received: number): Promise<void> } {
  const header = exchange.header("content-range");
  if (header === undefined) return { check: async () => {} };
  const span = parseChunkRange(header);
  const { upload } = held;
  const { offset } = upload;
  if (span === null)
    throw problem(400, "BLOB_UPLOAD_INVALID", 'Content-Range must be "start-end", both included', {
      header: header.slice(0, 100),
    });
  if (span.start !== offset) {
    throw new Problem(
      416,
      { code: "RANGE_INVALID", message: `the next byte is ${offset}`, detail: { start: span.start, offset } },
      progressHeaders(held),
    );
  }
  const length = span.end - span.start;
  const declared = exchange.header("content-length");
  if (declared !== undefined && Number(declared) !== length) throw sizeDiffers(length, Number(declared));
  return {
    check: async (received) => {
      if (received === length) return;
      await upload.truncate(offset);
      throw sizeDiffers(length, received);
    },
  };
}

function sizeDiffers(range: number, received: number): Problem {
  return problem(400, "SIZE_INVALID", "Content-Range and body differ in length", { range, received });
}

function progressHeaders({ session, upload }: HeldUpload): Record<string, string> {
  return {
    location: uploadPath(session.repository, session.id),
    range: formatProgress(upload.offset),
    [UPLOAD_UUID]: session.id,
  };
}
