// Takes out of a RUN step's upper directory what only its mounts needed: empty mount points that were not there before,
// and directories that were copied up for them and hold no change.

import { rmdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { cleanPath, resolvePath, type TreeEntry } from "../context/file-tree.ts";
import { LayerTree } from "../context/layer-tree.ts";

/** Places that every container gets mounted. */
export const STANDARD_MOUNT_POINTS: readonly string[] = [
  "/proc",
  "/sys",
  "/dev",
  "/dev/pts",
  "/dev/shm",
  "/dev/mqueue",
  "/sys/fs/cgroup",
  "/etc/resolv.conf",
  "/etc/hosts",
  "/etc/hostname",
];

/** `targets`: absolute paths in the container. */
export function cleanStubs(upper: string, lower: readonly string[], targets: readonly string[]): void {
  using now = LayerTree.open([upper, ...lower], { live: true });
  using before = LayerTree.open(lower);
  // Deepest first, so that parents become empty.
  const paths = [...new Set(targets.map((target) => resolvePath(now, cleanPath(target)).path))].sort(
    (a, b) => b.length - a.length,
  );
  for (const path of paths) {
    for (let at = path; at !== ""; at = at.includes("/") ? at.slice(0, at.lastIndexOf("/")) : "") {
      if (!removeStub(upper, now, before, at)) break;
    }
  }
}

/** True when the place is as before now, so that its parent may be too. */
function removeStub(upper: string, now: LayerTree, before: LayerTree, path: string): boolean {
  const found = now.find(path);
  if (found === null || found.layer !== 0) return found !== null;
  const old = before.entry(path);
  if (found.entry.kind === "directory") {
    if (old !== null && !sameAttributes(old, found.entry)) return false;
    using only = LayerTree.open([upper], { live: true });
    if (only.names(path).length > 0) return false;
    rmdirSync(join(upper, path));
    return true;
  }
  if (old !== null || found.entry.kind !== "file" || found.entry.size > 0) return false;
  unlinkSync(join(upper, path));
  return true;
}

function sameAttributes(a: TreeEntry, b: TreeEntry): boolean {
  return a.kind === b.kind && a.mode === b.mode && a.uid === b.uid && a.gid === b.gid;
}
