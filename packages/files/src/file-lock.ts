// Advisory locks between processes, and between tasks of one process, by flock(2) on a lock file.
// The kernel drops a lock when its holder dies, so a lock file left on disk means nothing.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";

import { attempt } from "./addon.ts";
import { AT_FDCWD, O_CREAT, O_NOFOLLOW, O_RDWR } from "./constants.ts";
import { closeFd } from "./open.ts";
import { fstat, lookupAt } from "./stat.ts";

const LOCK_SH = 1;
const LOCK_EX = 2;
/** First and longest pause between tries, in milliseconds. flock cannot wait without blocking the thread. */
const PAUSE = { first: 2, longest: 50 };

/** How a lock is taken. */
export interface LockOptions {
  /** Several holders may share. Default false: one holder. */
  readonly shared?: boolean;
}

/** Locks an open file for as long as it is open; false when somebody else holds it. */
export function tryLockFd(fd: number): boolean {
  return attempt("lock", `fd ${fd}`, (addon) => addon.tryFlock(fd, LOCK_EX));
}

/** A lock held; released when disposed. The file stays. */
export class FileLock implements Disposable {
  readonly path: string;
  #fd: number | null;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  /** The lock, or null when somebody else holds it. Creates the file (mode 0600) when missing. */
  static tryAcquire(path: string, options: LockOptions = {}): FileLock | null {
    for (;;) {
      const flags = O_RDWR | O_CREAT | O_NOFOLLOW;
      const fd = attempt("open lock", path, (addon) => addon.openat2(AT_FDCWD, path, flags, 0o600, 0));
      let keep = false;
      try {
        const operation = options.shared === true ? LOCK_SH : LOCK_EX;
        if (!attempt("lock", path, (addon) => addon.tryFlock(fd, operation))) return null;
        // The holder before may have removed the file: a lock on a nameless file excludes nobody.
        keep = lookupAt(AT_FDCWD, path)?.ino === fstat(fd).ino;
        if (keep) return new FileLock(path, fd);
      } finally {
        if (!keep) closeFd(fd);
      }
    }
  }

  /** Waits for the lock until the scope ends. @throws TeuError `timeout` or `cancelled` then. */
  static async acquire(scope: Scope, path: string, options: LockOptions = {}): Promise<FileLock> {
    for (let pause = PAUSE.first; ; pause = Math.min(pause * 2, PAUSE.longest)) {
      scope.check(`lock ${path}`);
      const lock = FileLock.tryAcquire(path, options);
      if (lock !== null) return lock;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  /** The locked file's descriptor: read and write through it; closed with the lock. */
  get fd(): number {
    if (this.#fd !== null) return this.#fd;
    throw new TeuError({ code: "conflict", op: "use lock", subject: this.path, message: "it was released" });
  }

  [Symbol.dispose](): void {
    if (this.#fd === null) return;
    closeFd(this.#fd);
    this.#fd = null;
  }
}
