// A file with saved images, as a stream, and errors that name it: what reads the stream does not know where it comes from.

import { createReadStream } from "node:fs";

import { type ErrorCode, isTeuError, TeuError } from "@teu/base/errors";
import { errnoOf, fileError } from "@teu/files/addon";

const OP = "read archive";
const WANTED =
  "want what `docker save`, `podman save` or `skopeo copy ... oci-archive:` writes, plain or compressed with gzip or zstd";

/** What is said of content, by the code of what was found. Others are not about content. */
const SAID: Partial<Record<ErrorCode, string>> = {
  corrupt: "it is no image archive, or damaged",
  exhausted: "it is beyond a limit",
  invalid: "it is no image archive, or has a mistake in it",
  "not-found": "it is not whole",
  unsupported: "it has something that is not known here",
};

/** Reads a file in large chunks. @throws TeuError that names it. */
export async function* readArchiveFile(path: string): AsyncIterable<Uint8Array> {
  try {
    yield* createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Uint8Array>;
  } catch (error) {
    if (errnoOf(error) !== "EISDIR") throw fileError(OP, path, error);
    throw new TeuError({
      code: "invalid",
      op: OP,
      subject: path,
      message: "it is a directory",
      detail: { errno: "EISDIR" },
      hint: "an image layout in a directory is oci:DIR of `teu copy`",
    });
  }
}

/** The error of an archive's content with the archive's name ("standard input"); others as they are. */
export function archiveError(name: string, error: unknown): unknown {
  if (!isTeuError(error) || errnoOf(error) !== undefined) return error;
  const said = SAID[error.code];
  if (said === undefined || error.op === OP) return error;
  const { code, detail, hint = WANTED } = error;
  // Of the whole archive: its own words are enough.
  if (error.op === "load images" && error.subject === undefined)
    return new TeuError({ code, op: OP, subject: name, message: error.what, detail, hint });
  return new TeuError({ code, op: OP, subject: name, message: said, detail, hint, cause: error });
}
