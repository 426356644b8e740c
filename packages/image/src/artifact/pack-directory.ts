// A directory as the tar that oras makes of it: every name begins with the directory's own, owners are nobody in particular.
// Files, directories and symlinks that stay inside; anything else is refused, since whoever pulls it would refuse it.

import { constants, type Dirent } from "node:fs";
import { lstat, open, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { fileError } from "@teu/files/addon";
import { readBuffer } from "@teu/files/read-buffer";

import { encodeTarHeader, TAR_END, tarEntry, tarPadding } from "../tar/writer.ts";
import { checkLinkTarget } from "./file-names.ts";

const OP = "pack directory";
const CHUNK = 1 << 20;

/** The tar, sorted by name. `parts`: what the directory is called in it. @throws TeuError `unsupported`, `conflict` for a file that changes. */
export async function* tarOfDirectory(scope: Scope, path: string, parts: readonly string[]): AsyncIterable<Uint8Array> {
  try {
    yield* directory(scope, path, parts, parts.length);
  } catch (error) {
    throw fileError(OP, path, error);
  }
  yield TAR_END;
}

async function* directory(
  scope: Scope,
  path: string,
  parts: readonly string[],
  top: number,
): AsyncIterable<Uint8Array> {
  scope.check(OP);
  const { mode, mtimeNs } = await lstat(path, { bigint: true });
  yield encodeTarHeader(tarEntry({ type: "directory", name: parts.join("/"), mode: Number(mode) & 0o777, mtimeNs }));
  const entries: Dirent[] = await readdir(path, { withFileTypes: true });
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const inner = join(path, entry.name);
    const below = [...parts, entry.name];
    if (entry.isDirectory()) yield* directory(scope, inner, below, top);
    else if (entry.isSymbolicLink()) yield await symlink(inner, below, top);
    else if (entry.isFile()) yield* file(scope, inner, below);
    else
      throw new TeuError({
        code: "unsupported",
        op: OP,
        subject: inner,
        message: "only files, directories and symlinks can be packed",
      });
  }
}

async function symlink(path: string, parts: readonly string[], top: number): Promise<Uint8Array> {
  const { mtimeNs } = await lstat(path, { bigint: true });
  const linkName = checkLinkTarget(OP, parts, top, await readlink(path));
  return encodeTarHeader(tarEntry({ type: "symlink", name: parts.join("/"), linkName, mode: 0o777, mtimeNs }));
}

async function* file(scope: Scope, path: string, parts: readonly string[]): AsyncIterable<Uint8Array> {
  // O_NONBLOCK: what was a file a moment ago may be a fifo now.
  await using handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const stat = await handle.stat({ bigint: true });
  const size = Number(stat.size);
  yield encodeTarHeader(
    tarEntry({ type: "file", name: parts.join("/"), size, mode: Number(stat.mode) & 0o777, mtimeNs: stat.mtimeNs }),
  );
  let at = 0;
  while (at < size) {
    scope.check(OP);
    const { bytesRead, buffer } = await handle.read(readBuffer(Math.min(CHUNK, size - at)), 0, null, at);
    if (bytesRead === 0) {
      throw new TeuError({ code: "conflict", op: OP, subject: path, message: "it became shorter while it was read" });
    }
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
  yield tarPadding(size);
}
