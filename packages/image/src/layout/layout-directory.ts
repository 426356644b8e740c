// An OCI image layout as a directory: its header, its index, and changes of the index.

import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { fileError } from "@teu/files/addon";
import { FileLock } from "@teu/files/file-lock";
import { makeDirectory } from "@teu/files/make-directory";
import { removeAbandoned, replaceFile } from "@teu/files/replace-file";
import { DOCUMENT_LIMITS, type ImageIndex, parseImageLayout, parseIndex } from "@teu/specs/image";
import { randomHex } from "@teu/files/random";

import { linkIfAbsent } from "../disk-ingest.ts";
import { INDEX_FILE, LAYOUT_CONTENT, LAYOUT_FILE, layoutIndex } from "./layout-files.ts";

/**
 * The index of a layout directory.
 * @throws TeuError `not-found` when there is no layout, `invalid` when it is not one of version 1.0.0.
 */
export async function readLayoutIndex(scope: Scope, directory: string): Promise<ImageIndex> {
  scope.check("read image layout");
  parseImageLayout(readLayoutFile(join(directory, LAYOUT_FILE), DOCUMENT_LIMITS.layout));
  return parseIndex(readLayoutFile(join(directory, INDEX_FILE), DOCUMENT_LIMITS.index));
}

/** Changes the index of a layout; writers take turns, so that none loses what another one added. */
export async function changeLayoutIndex(
  scope: Scope,
  directory: string,
  change: (present: ImageIndex) => ImageIndex | Promise<ImageIndex>,
): Promise<void> {
  using _ = await FileLock.acquire(scope, join(directory, LAYOUT_FILE));
  const changed = await change(await readLayoutIndex(scope, directory));
  const file = join(directory, INDEX_FILE);
  await removeAbandoned(file);
  await replaceFile(file, JSON.stringify(changed), { mode: 0o644 });
}

/** Makes an empty layout where there is none. @throws TeuError `invalid` when there is one of another version. */
export async function prepareLayout(directory: string): Promise<void> {
  try {
    makeDirectory(directory, 0o777);
    await writeNew(directory, INDEX_FILE, JSON.stringify(layoutIndex([])));
    await writeNew(directory, LAYOUT_FILE, LAYOUT_CONTENT);
  } catch (error) {
    throw fileError("make image layout", directory, error);
  }
  parseImageLayout(readLayoutFile(join(directory, LAYOUT_FILE), DOCUMENT_LIMITS.layout));
}

/**
 * Makes a file that is there whole or not at all: a half-written one would make the layout useless for ever. By synchronous calls: each
 * takes microseconds, and a turn through the thread pool a hundred times that.
 */
async function writeNew(directory: string, name: string, content: string): Promise<void> {
  const path = join(directory, name);
  if (existsSync(path)) return;
  // Where and as content stores have theirs: what a kill leaves is swept.
  const temp = join(directory, "ingest", `tmp-${randomHex(12)}`);
  makeDirectory(dirname(temp), 0o700);
  using lock = FileLock.tryAcquire(temp);
  if (lock === null) return writeNew(directory, name, content);
  try {
    writeFileSync(temp, content);
    chmodSync(temp, 0o644);
    await linkIfAbsent(temp, path);
  } finally {
    rmSync(temp, { force: true });
  }
}

/** Our own working directory is no part of a layout. */
export async function removeIngest(directory: string): Promise<void> {
  try {
    await rmdir(join(directory, "ingest"));
  } catch (error) {
    // Not empty: somebody else is writing into the same layout, or an interrupted copy will go on. Absent: who did so removed it.
    const { code } = error as { code?: unknown };
    if (code !== "ENOTEMPTY" && code !== "ENOENT") throw fileError("write image layout", directory, error);
  }
}

/** A small file of a layout, whatever lies at its place. By synchronous calls, as `writeNew`. @throws TeuError `not-found`, `invalid`, `exhausted`. */
export function readLayoutFile(path: string, limit: number): Uint8Array {
  let fd: number | null = null;
  try {
    // O_NONBLOCK: a fifo would wait for a writer, and a device may never end.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = fstatSync(fd);
    if (!found.isFile()) throw refuse("invalid", path, "it is not a regular file");
    if (found.size <= limit) return readFileSync(fd);
    throw refuse("exhausted", path, `${found.size} bytes, limit is ${limit}`);
  } catch (error) {
    throw fileError("read image layout", path, error);
  } finally {
    if (fd !== null) closeSync(fd);
  }
}

function refuse(code: "invalid" | "exhausted", subject: string, message: string): TeuError {
  return new TeuError({ code, op: "read image layout", subject, message });
}
