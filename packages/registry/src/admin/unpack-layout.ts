// A layout that is one tar (`oci-archive:`, compressed or not) taken apart into a directory. Of its members only those that belong
// to a layout are written, under names that follow from what they are: nothing in the tar says where anything goes.

import { createReadStream, createWriteStream, mkdirSync, statSync } from "node:fs";
import path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { isTeuError, TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { decompress, DEFAULT_DECOMPRESS_LIMITS } from "@teu/image/compression/decompress";
import { blobPath, digestOfPath, INDEX_FILE, LAYOUT_FILE } from "@teu/image/layout/layout-files";
import { tarMembers } from "@teu/image/tar/members";

import { fileError } from "../storage/file-error.ts";

const CHUNK = 1 << 20;
/** A registry may be larger than any image. */
const LIMITS = { ...DEFAULT_DECOMPRESS_LIMITS, bytes: Number.MAX_SAFE_INTEGER };

/** Whether an import is told of an archive: any file; directories are layouts. */
export function isArchive(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
}

/**
 * Unpacks a layout archive into a directory that is empty. What the blobs are is verified by who takes them.
 * @throws TeuError `invalid` when it is no layout, `exhausted` when there is no room.
 */
export async function unpackLayout(scope: Scope, file: string, directory: string): Promise<void> {
  const seen = new Set<string>();
  try {
    for await (const { entry, content } of tarMembers(scope, decompress(scope, bytesOf(file), LIMITS))) {
      const name = placeOf(entry.name);
      if (name === null || entry.type === "directory") continue;
      // A link would be content that another member chooses, a second member content that somebody else does not see.
      if (entry.type !== "file" || entry.sparse !== null) throw invalid(file, `${name} is no ordinary file`);
      if (seen.has(name)) throw invalid(file, `${name} is in it twice`);
      seen.add(name);
      const target = path.join(directory, name);
      mkdirSync(path.dirname(target), { recursive: true });
      await pipeline(Readable.from(content), createWriteStream(target, { flags: "wx", mode: 0o600, flush: true }));
    }
  } catch (error) {
    scope.check("unpack archive");
    throw isTeuError(error) ? error : fileError("unpack archive", file, error);
  }
  for (const name of [LAYOUT_FILE, INDEX_FILE]) if (!seen.has(name)) throw invalid(file, `there is no ${name} in it`);
}

async function* bytesOf(file: string): AsyncIterable<Uint8Array> {
  yield* createReadStream(file, { highWaterMark: CHUNK }) as AsyncIterable<Uint8Array>;
}

// Tars name the same file in several ways.
function placeOf(name: string): string | null {
  const plain = name.replace(/^(?:\.\/+)+/, "");
  if (plain === LAYOUT_FILE || plain === INDEX_FILE) return plain;
  const digest = digestOfPath(plain);
  return digest === null ? null : blobPath(digest);
}

function invalid(file: string, message: string): TeuError {
  return new TeuError({
    code: "invalid",
    op: "unpack archive",
    subject: file,
    message,
    hint: "want what `teu registry export --archive` or `skopeo copy ... oci-archive:` writes",
  });
}
