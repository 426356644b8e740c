// Opening by directory descriptor with openat2's promises about where a path may lead.

import { readFileSync } from "node:fs";

import { attempt } from "./addon.ts";
import {
  AT_FDCWD,
  O_DIRECTORY,
  O_RDONLY,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_XDEV,
} from "./constants.ts";

/** What a walk inside an untrusted tree needs: never leaves it, no magic links, no other file system. */
export const RESOLVE_INSIDE: number = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;

/** A file descriptor with an owner: closed when disposed, once. */
export class OwnedFd implements Disposable {
  readonly fd: number;
  #open = true;

  constructor(fd: number) {
    this.fd = fd;
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    closeFd(this.fd);
  }
}

/**
 * openat2(2), close-on-exec. The number returned is the caller's to close (`closeFd`), or wrap it in `OwnedFd`.
 * `resolve` is RESOLVE_*, default `RESOLVE_INSIDE`.
 * @throws TeuError by errno: `not-found`, `denied`, `invalid` (ELOOP, EXDEV: the path leads where it must not), ...
 */
export function openat2(
  dirfd: number,
  path: string,
  flags: number,
  mode: number = 0,
  resolve: number = RESOLVE_INSIDE,
): number {
  return attempt("open", path, (addon) => addon.openat2(dirfd, path, flags, mode, resolve));
}

/** Opens a directory by a trusted path, following symlinks. */
export function openDirectory(path: string): OwnedFd {
  const flags = O_RDONLY | O_DIRECTORY;
  return new OwnedFd(attempt("open directory", path, (addon) => addon.openat2(AT_FDCWD, path, flags, 0, 0)));
}

/** close(2). */
export function closeFd(fd: number): void {
  attempt("close", `fd ${fd}`, (addon) => addon.close(fd));
}

let limit: number | undefined;

/** Descriptors that this process may have open (RLIMIT_NOFILE); infinite where there is no limit, or none is told. */
export function descriptorLimit(): number {
  limit ??= readLimit();
  return limit;
}

// proc_pid_limits(5). Node has raised it to what the user may have, at its start.
function readLimit(): number {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1")) ?? [];
    return Number(soft ?? Number.POSITIVE_INFINITY);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/**
 * Makes room in the process's table for `count` descriptors, in the thread pool, for who is about to open hundreds: while the
 * table grows by itself, each doubling holds up the thread for milliseconds. A hint: never fails, nothing has to wait for it.
 */
export function reserveDescriptors(count: number): Promise<void> {
  return attempt("reserve", "descriptors", (addon) => addon.reserveDescriptors(count));
}
