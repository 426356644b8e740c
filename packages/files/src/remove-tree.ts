// Removes a directory tree of untrusted content: by descriptors, so that no symlink swapped in leads outside,
// and never into another mount. Whoever filled the tree chose its depth: neither the stack nor the descriptors grow with it.

import { isTeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";

import { attempt, errnoOf } from "./addon.ts";
import {
  AT_FDCWD,
  AT_REMOVEDIR,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_RDONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_XDEV,
} from "./constants.ts";
import { type DirectoryEntry, DT_DIR, DT_UNKNOWN, readDir, renameAt } from "./entries.ts";
import { closeFd, openat2 } from "./open.ts";
import { randomHex } from "./random.ts";

/** Entries removed before the event loop gets its turn. */
const BATCH = 500;
/** Directories open at once; what lies deeper is moved up to the top first. */
const DEEPEST = 128;
const INSIDE = RESOLVE_BENEATH | RESOLVE_NO_XDEV;

/** A directory on the way down. */
interface Level {
  readonly fd: number;
  readonly name: string;
  readonly pending: DirectoryEntry[];
}

/**
 * Removes `path` and everything below, giving the event loop its turns; a missing path is fine, and so are entries that
 * somebody else removes meanwhile.
 * @throws TeuError `conflict` or `invalid` when a mount is in the way, else by errno. What could be removed is gone then.
 */
export async function removeTree(scope: Scope, path: string): Promise<void> {
  for (const _ of removeSteps(AT_FDCWD, path, 0)) {
    await new Promise((resolve) => setImmediate(resolve));
    scope.check("remove tree");
  }
}

/**
 * As `removeTree`, in one go: for directories known to be small. Not node's `rmSync`: that takes ENOENT of an entry which somebody
 * else removed for the end of its work, and leaves the others.
 */
export function removeTreeSync(path: string): void {
  for (const _ of removeSteps(AT_FDCWD, path, 0));
}

/** As `removeTree`, of the entry `name` below `dirfd`, in one go: for trees known to be small. */
export function removeTreeAt(dirfd: number, name: string): void {
  for (const _ of removeSteps(dirfd, name, INSIDE));
}

/** Removes one entry whatever it is; yields after each batch. */
function* removeSteps(dirfd: number, name: string, resolve: number): Generator<void> {
  if (unlinkOrSeeDirectory(dirfd, name)) return;
  const levels: Level[] = [];
  try {
    enter(levels, dirfd, name, resolve);
    for (let count = 1; levels.length > 0; count++) {
      step(levels, dirfd);
      if (count % BATCH === 0) yield;
    }
  } finally {
    for (const { fd } of levels) closeFd(fd);
  }
}

/** One entry less, or one level more or less. */
function step(levels: Level[], dirfd: number): void {
  const [top] = levels;
  const level = levels.at(-1);
  if (top === undefined || level === undefined) return;
  const entry = level.pending.pop();
  if (entry === undefined) {
    levels.pop();
    closeFd(level.fd);
    unlink(levels.at(-1)?.fd ?? dirfd, level.name, AT_REMOVEDIR);
    return;
  }
  const surelyFile = entry.type !== DT_DIR && entry.type !== DT_UNKNOWN;
  if (surelyFile) return unlink(level.fd, entry.name, 0);
  if (entry.type === DT_UNKNOWN && unlinkOrSeeDirectory(level.fd, entry.name)) return;
  if (levels.length < DEEPEST) return enter(levels, level.fd, entry.name, INSIDE);
  // A name that nobody can have put there.
  const hoisted = `.removing-${randomHex(12)}`;
  renameAt(level.fd, entry.name, top.fd, hoisted);
  top.pending.push({ name: hoisted, type: DT_DIR });
}

function enter(levels: Level[], dirfd: number, name: string, resolve: number): void {
  let fd: number;
  try {
    fd = openat2(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, resolve);
  } catch (error) {
    if (isTeuError(error, "not-found")) return;
    throw error;
  }
  const level: Level = { fd, name, pending: [] };
  // Before anything else can fail: what is on the list gets closed.
  levels.push(level);
  for (const entry of readDir(fd)) level.pending.push(entry);
}

/** unlinkat(2); somebody else may have been quicker. */
function unlink(dirfd: number, name: string, flags: number): void {
  try {
    attempt("remove", name, (addon) => addon.unlinkat(dirfd, name, flags));
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

/** True when it is gone (or was never there); false when it is a directory. */
function unlinkOrSeeDirectory(dirfd: number, name: string): boolean {
  try {
    attempt("remove", name, (addon) => addon.unlinkat(dirfd, name, 0));
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT") return true;
    if (errno === "EISDIR") return false;
    throw error;
  }
}
