// Extended attributes as bytes. With an empty name they are those of the descriptor (not O_PATH), else those of the
// entry itself, symlink or not.

import { attempt } from "./addon.ts";

/** Sets one. */
export function setXattr(dirfd: number, path: string, name: string, value: Uint8Array): void {
  attempt(`set ${name} of`, path, (addon) => addon.setXattr(dirfd, path, name, value));
}

/** One value, or null when absent or when the file system has no attributes. */
export function getXattr(dirfd: number, path: string, name: string): Uint8Array | null {
  return attempt(`get ${name} of`, path, (addon) => addon.getXattr(dirfd, path, name));
}

/** All names; empty where the file system has none. */
export function listXattrs(dirfd: number, path: string): string[] {
  return attempt("list attributes of", path, (addon) => addon.listXattrs(dirfd, path));
}

/** Removes one; false when there was none. */
export function removeXattr(dirfd: number, path: string, name: string): boolean {
  return attempt(`remove ${name} of`, path, (addon) => addon.removeXattr(dirfd, path, name));
}
