// Durable replacement of small state files: temp file beside it, write, fsync, rename, fsync of the directory.
// A reader sees the old content or the new, after a crash too. Needs no addon.

import { open, readdir, rename, rm, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { fileError } from "./addon.ts";
import { randomHex } from "./random.ts";

/** How a file is replaced. */
export interface ReplaceOptions {
  /** Permissions of the new file; default 0600. */
  readonly mode?: number;
  /** False skips the syncs: atomic, but perhaps lost after a crash. Default true. */
  readonly durable?: boolean;
}

/**
 * Replaces or creates `path`.
 * @throws TeuError by errno; the old content is then untouched and no temp file left.
 */
export async function replaceFile(
  path: string,
  data: Uint8Array | string,
  options: ReplaceOptions = {},
): Promise<void> {
  const durable = options.durable !== false;
  const temp = join(dirname(path), `.${basename(path)}.${randomHex(6)}`);
  try {
    await using file = await open(temp, "wx", options.mode ?? 0o600);
    await file.writeFile(data);
    // The umask has no say in what the caller asked for.
    await file.chmod(options.mode ?? 0o600);
    if (durable) await file.sync();
  } catch (error) {
    await removeTemp(temp);
    throw fileError("write", path, error);
  }
  try {
    await rename(temp, path);
    if (durable) await syncDirectory(dirname(path));
  } catch (error) {
    await removeTemp(temp);
    throw fileError("replace", path, error);
  }
}

/** Removes what writers of `path` left that were killed before the rename. Only while no other one can be at it: under its lock. */
export async function removeAbandoned(path: string): Promise<void> {
  const prefix = `.${basename(path)}.`;
  for (const name of await readdir(dirname(path))) {
    if (name.startsWith(prefix) && /^[0-9a-f]{12}$/.test(name.slice(prefix.length)))
      await rm(join(dirname(path), name), { force: true });
  }
}

/** Makes renames and removals in a directory survive a crash. */
export async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, "r");
  await directory.sync();
}

async function removeTemp(temp: string): Promise<void> {
  try {
    await unlink(temp);
  } catch (error) {
    // Absent is what is wanted; anything else would hide the failure that led here.
    if ((error as { code?: string }).code !== "ENOENT") process.emitWarning(`temp file left: ${temp}`);
  }
}
