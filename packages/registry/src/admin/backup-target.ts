// Where a backup may go: a new or empty directory, one that a first backup was killed in, or the backup of the same registry.

import { realpathSync } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { TeuError } from "@teu/base/errors";

import { SqliteMetadata } from "../metadata/sqlite-metadata.ts";
import { isErrno } from "../storage/file-error.ts";
import { INDEX, type OpenRoot } from "./open-root.ts";

/** What a backup has made before it has an index: the storage's directories, the lock, a copy of the index in the making. */
const BEGUN = new RegExp(`^(?:blobs|uploads|trash|serve\\.lock|\\.${INDEX.replace(".", "\\.")}-.*)$`);

/**
 * Looks whether `root` may be backed up into `directory`; touches nothing.
 * @throws TeuError `conflict` when there is something else, or another registry's backup; `invalid` for a place inside the registry.
 */
export async function checkBackupTarget(root: OpenRoot, directory: string): Promise<void> {
  const refuse = (code: "conflict" | "invalid", message: string, hint: string): TeuError =>
    new TeuError({ code, op: "back up registry", subject: directory, message, hint });
  const [from, to] = [realPath(root.path), realPath(directory)];
  if (to === from || to.startsWith(`${from}/`))
    throw refuse("invalid", `it is ${to === from ? "" : "inside "}the registry itself`, "name a directory elsewhere");
  const names = await entries(directory);
  if (names.includes(INDEX)) {
    await using there = SqliteMetadata.open(path.join(directory, INDEX));
    if (there.identity === root.metadata.identity) return;
    throw refuse("conflict", "it is another registry, or the backup of another one", "each registry needs its own");
  }
  const other = names.find((name) => !BEGUN.test(name));
  if (other !== undefined)
    throw refuse("conflict", `it holds ${JSON.stringify(other)}, which is no backup`, "name an empty directory");
}

async function entries(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}

/** With the links on the way resolved, of what exists of it. */
function realPath(text: string): string {
  const whole = path.resolve(text);
  try {
    return realpathSync(whole);
  } catch {
    const parent = path.dirname(whole);
    return parent === whole ? whole : path.join(realPath(parent), path.basename(whole));
  }
}
