// Small JSON files that are never half-written: state.json (for readers that are alive) and exit.json (for after a power cut).
// portable: no host types here.

import type { Kernel } from "@teu/sys/kernel";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "@teu/sys/constants/fs";

/** Replaces `path` by `value` as JSON, mode 0600; `durable`: on the disk, name included, before it returns. */
export function writeJsonFile(kernel: Kernel, path: string, value: unknown, durable: boolean): void {
  const { fs } = kernel;
  fs.replaceFileAt(AT_FDCWD, path, `${JSON.stringify(value)}\n`, 0o600, durable);
  if (!durable) return;
  const directory = fs.openat(
    AT_FDCWD,
    path.slice(0, path.lastIndexOf("/")) || "/",
    O_RDONLY | O_DIRECTORY | O_CLOEXEC,
    0,
  );
  try {
    // The rename is only as durable as the directory that it happened in.
    fs.fsync(directory);
  } finally {
    fs.close(directory);
  }
}

/** Removes a file; a missing one is fine. */
export function removeFile(kernel: Kernel, path: string): void {
  if (kernel.fs.accessAt(AT_FDCWD, path, 0)) kernel.fs.unlinkAt(AT_FDCWD, path, 0);
}
