// Removes a directory tree of untrusted content: by descriptors, so that no symlink swapped in leads outside,
// and never into another mount.

import type { Scope } from "@teu/base/scope";

import { attempt, errnoOf } from "./addon.ts";
import { AT_FDCWD, AT_REMOVEDIR, O_DIRECTORY, O_NOFOLLOW, O_RDONLY, RESOLVE_BENEATH, RESOLVE_NO_XDEV } from "./constants.ts";
import { DT_DIR, DT_UNKNOWN, readDir } from "./entries.ts";
import { closeFd, openat2 } from "./open.ts";

/** Entries removed before the event loop gets its turn. */
const BATCH = 500;

/**
 * Removes `path` and everything below; a missing path is fine.
 * @throws TeuError `conflict` when a mount is in the way, else by errno. What could be removed is gone then.
 */
export async function removeTree(scope: Scope, path: string): Promise<void> {
  if (unlinkOrSeeDirectory(AT_FDCWD, path)) return;
  const remover = { scope, count: 0 };
  const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  const fd = attempt("remove", path, (addon) => addon.openat2(AT_FDCWD, path, flags, 0, 0));
  try {
    await emptyDirectory(remover, fd);
  } finally {
    closeFd(fd);
  }
  attempt("remove", path, (addon) => addon.unlinkat(AT_FDCWD, path, AT_REMOVEDIR));
}

/** Removes what is in the directory `fd`, keeping the directory itself. */
export async function removeContents(scope: Scope, fd: number): Promise<void> {
  await emptyDirectory({ scope, count: 0 }, fd);
}

interface Remover {
  readonly scope: Scope;
  count: number;
}

async function emptyDirectory(remover: Remover, fd: number): Promise<void> {
  for (const entry of readDir(fd)) {
    if (++remover.count % BATCH === 0) {
      await new Promise((resolve) => setImmediate(resolve));
      remover.scope.check("remove tree");
    }
    const surelyFile = entry.type !== DT_DIR && entry.type !== DT_UNKNOWN;
    if ((surelyFile || entry.type === DT_UNKNOWN) && unlinkOrSeeDirectory(fd, entry.name)) continue;
    const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    const child = openat2(fd, entry.name, flags, 0, RESOLVE_BENEATH | RESOLVE_NO_XDEV);
    try {
      await emptyDirectory(remover, child);
    } finally {
      closeFd(child);
    }
    attempt("remove", entry.name, (addon) => addon.unlinkat(fd, entry.name, AT_REMOVEDIR));
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
