// What the runtime remembers of a container between commands, and the directory it is kept in.
//
//   ROOT/ID/
//     state.json     ContainerRecord, replaced atomically; written before the process is cloned and again when it is ready
//     state.json.next  the next one while the container is made
//     config.json    the configuration as it was at create, for exec
//     start.fifo     the waiting process holds it open; a byte in it starts the container; gone once started
//     result.fifo    the starting process says here what went wrong; end of file: it runs
//   ROOT/.cache/seccomp/SHA256   compiled filters
//
// The directory is locked (flock) by create and start while they work; delete waits for nobody.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import {
  AT_FDCWD,
  DT_DIR,
  LOCK_EX,
  LOCK_NB,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
} from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { Hooks, NamespaceType } from "@teu/specs/runtime";
import { verbatim } from "../failure.ts";
import type { CgroupRecord } from "../linux/cgroup/record.ts";
import type { ResctrlRecord } from "../linux/resctrl.ts";

/** state.json */
export interface ContainerRecord {
  readonly version: 1;
  readonly ociVersion: string;
  readonly id: string;
  /** Host pid of init; 0 before it exists. */
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: a pid with another start time is not ours any more. */
  readonly startTime: number;
  readonly bundle: string;
  readonly rootfs: string;
  /** RFC 3339, UTC. */
  readonly created: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly cgroup: CgroupRecord;
  /** With linux.intelRdt. */
  readonly resctrl?: ResctrlRecord;
  /** Namespaces of its own, made or joined. */
  readonly namespaces: readonly NamespaceType[];
  /** The pid namespace was made for it: it ends with init. */
  readonly ownPidNamespace: boolean;
  readonly hooks: Pick<Hooks, "poststart" | "poststop">;
}

const STATE = "state.json";
const NEXT_STATE = "state.json.next";
const CONFIG = "config.json";
const LIMIT = 16 << 20;

const ID_CHARACTERS: ReadonlySet<string> = new Set(
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+.-",
);

function hasOnly(text: string, characters: ReadonlySet<string>): boolean {
  for (const character of text) if (!characters.has(character)) return false;
  return true;
}

/** Checks an id as runc does. Throws `invalid`. */
export function checkId(id: string): string {
  if (id === "" || id.length > 1024 || id === "." || id === ".." || id === ".cache" || !hasOnly(id, ID_CHARACTERS)) {
    throw verbatim("invalid", `invalid container ID format: ${JSON.stringify(id)}`);
  }
  return id;
}

/** Names of the state directories. */
export function containerIds(kernel: Kernel, root: string): string[] {
  const { fs } = kernel;
  try {
    const fd = fs.openat(AT_FDCWD, root, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    try {
      return fs
        .readDir(fd)
        .filter(({ name, type }) => type === DT_DIR && !name.startsWith("."))
        .map(({ name }) => name)
        .sort();
    } finally {
      fs.close(fd);
    }
  } catch (error) {
    if (isSysError(error, "ENOENT")) return [];
    throw error;
  }
}

/** An open state directory. Close it with `close`. */
export class StateDirectory {
  readonly path: string;
  readonly fd: number;
  readonly #kernel: Kernel;

  private constructor(kernel: Kernel, path: string, fd: number) {
    this.#kernel = kernel;
    this.path = path;
    this.fd = fd;
  }

  /** Opens the directory of an existing container; a link in its place is none. Throws `not-found` with runc's text. */
  static open(kernel: Kernel, root: string, id: string): StateDirectory {
    const path = `${root}/${checkId(id)}`;
    const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    try {
      return new StateDirectory(kernel, path, kernel.fs.openat(AT_FDCWD, path, flags, 0));
    } catch (error) {
      if (isSysError(error, "ENOTDIR") || isSysError(error, "ELOOP"))
        throw new TeuError({ code: "denied", op: "open container", subject: path, message: "is not a directory" });
      if (isSysError(error, "ENOENT")) throw verbatim("not-found", "container does not exist");
      throw error;
    }
  }

  /** Makes a new one, locked. Throws `already-exists`, unless what is there is the rest of a create that was killed. */
  static create(kernel: Kernel, root: string, id: string, sweep: (stale: StateDirectory) => void): StateDirectory {
    const path = `${root}/${checkId(id)}`;
    for (const last of [false, true]) {
      try {
        makeDirectory(kernel, root, path);
        const made = StateDirectory.open(kernel, root, id);
        made.lock();
        return made;
      } catch (error) {
        if (!isSysError(error, "EEXIST") || last) throw error;
      }
      const found = StateDirectory.open(kernel, root, id);
      try {
        if ((found.tryRead()?.pid ?? 0) !== 0 || !found.tryLock())
          throw verbatim("already-exists", "container with given ID already exists");
        sweep(found);
      } finally {
        found.close();
      }
    }
    throw verbatim("already-exists", "container with given ID already exists");
  }

  /** Takes the lock or throws `conflict`: another command is at work on this container. */
  lock(): void {
    if (!this.tryLock()) {
      throw new TeuError({
        code: "conflict",
        op: "lock container",
        subject: this.path,
        message: "another command is working on it",
      });
    }
  }

  /** false when another process holds it. */
  tryLock(): boolean {
    try {
      this.#kernel.fs.flock(this.fd, LOCK_EX | LOCK_NB);
      return true;
    } catch (error) {
      if (isSysError(error, "EAGAIN") || isSysError(error, "EWOULDBLOCK")) return false;
      throw error;
    }
  }

  /** null when there is no state.json (a create that was killed early). */
  tryRead(): ContainerRecord | null {
    try {
      return JSON.parse(this.#kernel.fs.readTextAt(this.fd, STATE, LIMIT)) as ContainerRecord;
    } catch (error) {
      if (isSysError(error, "ENOENT")) return null;
      throw error;
    }
  }

  /** Throws `not-found` like a missing container. */
  read(): ContainerRecord {
    const record = this.tryRead();
    if (record === null) throw verbatim("not-found", "container does not exist");
    return record;
  }

  write(record: ContainerRecord): void {
    this.#kernel.fs.replaceFileAt(this.fd, STATE, JSON.stringify(record), 0o600, false);
  }

  /** Writes the next state.json beside the current one; `commit` puts it in place, in one step. */
  prepare(record: ContainerRecord): void {
    const { fs } = this.#kernel;
    const fd = fs.openat(this.fd, NEXT_STATE, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o600);
    try {
      fs.write(fd, JSON.stringify(record));
    } finally {
      fs.close(fd);
    }
  }

  commit(): void {
    this.#kernel.fs.renameAt(this.fd, NEXT_STATE, this.fd, STATE, 0);
  }

  writeConfig(text: string): void {
    this.#kernel.fs.replaceFileAt(this.fd, CONFIG, text, 0o600, false);
  }

  readConfig(): string {
    return this.#kernel.fs.readTextAt(this.fd, CONFIG, LIMIT);
  }

  /** Takes state.json away, which only one process can. Throws `not-found` when another one has: the container is gone to us. */
  claimEnd(): void {
    try {
      this.#kernel.fs.unlinkAt(this.fd, STATE, 0);
    } catch (error) {
      if (isSysError(error, "ENOENT")) throw verbatim("not-found", "container does not exist");
      throw error;
    }
  }

  /** Removes it from disk; it stays open. */
  remove(): void {
    this.#kernel.fs.removeTree(AT_FDCWD, this.path);
  }

  close(): void {
    this.#kernel.fs.close(this.fd);
  }
}

function makeDirectory(kernel: Kernel, root: string, path: string): void {
  const { fs } = kernel;
  try {
    fs.mkdirAt(AT_FDCWD, path, 0o711);
  } catch (error) {
    if (!isSysError(error, "ENOENT")) throw error;
    let prefix = "";
    for (const name of root.split("/").filter((part) => part !== "")) {
      prefix = `${prefix}/${name}`;
      try {
        fs.mkdirAt(AT_FDCWD, prefix, 0o711);
      } catch (inner) {
        if (!isSysError(inner, "EEXIST")) throw inner;
      }
    }
    fs.mkdirAt(AT_FDCWD, path, 0o711);
  }
}
