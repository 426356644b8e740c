// What the runtime remembers of a container between commands, and the directory it is kept in.
//
//   ROOT/ID/
//     state.json     ContainerRecord, what `list` needs in its first line; replaced atomically; written before the process is cloned and again when it is ready
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
import { type CgroupRecord, freezerFile } from "../linux/cgroup/record.ts";
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

/** What `state` and `list` show of a record, and need to tell the status. */
export interface RecordHead extends Pick<
  ContainerRecord,
  "ociVersion" | "id" | "pid" | "startTime" | "bundle" | "rootfs" | "created" | "annotations"
> {
  /** See cgroup/record.ts. */
  readonly freezerFile: string;
}

const STATE = "state.json";
const NEXT_STATE = "state.json.next";
const CONFIG = "config.json";
const LIMIT = 16 << 20;

const ID_CHARACTERS: readonly boolean[] = Array.from({ length: 128 }, (_, code) =>
  /[\w+.-]/.test(String.fromCharCode(code)),
);

function hasOnly(text: string, characters: readonly boolean[]): boolean {
  for (let at = 0; at < text.length; at++) if (characters[text.charCodeAt(at)] !== true) return false;
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
  return forEachContainer(kernel, root, (id) => id);
}

/** What `look` answers for each of them, sorted by name; null is left out. `rootFd` is the open root. */
export function forEachContainer<T>(kernel: Kernel, root: string, look: (id: string, rootFd: number) => T | null): T[] {
  const { fs } = kernel;
  const rootFd = openRoot(kernel, root);
  if (rootFd < 0) return [];
  try {
    const ids = fs
      .readDir(rootFd)
      .filter(({ name, type }) => type === DT_DIR && !name.startsWith("."))
      .map(({ name }) => name)
      .sort();
    const answers: T[] = [];
    for (const id of ids) {
      const answer = look(id, rootFd);
      if (answer !== null) answers.push(answer);
    }
    return answers;
  } finally {
    fs.close(rootFd);
  }
}

/** -1 when there is none. */
function openRoot(kernel: Kernel, root: string): number {
  try {
    return kernel.fs.openat(AT_FDCWD, root, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  } catch (error) {
    if (isSysError(error, "ENOENT")) return -1;
    throw error;
  }
}

/**
 * The first line of state.json is the record's head once more, as an array: `list` reads this line of each container and leaves the rest,
 * whose many objects take the interpreter several times as long.
 */
const HEAD_LINE = '{"head":';

/** A record as it is written. */
export function textOfRecord(record: ContainerRecord): string {
  const { ociVersion, id, pid, startTime, bundle, rootfs, created, annotations, cgroup } = record;
  const head = [ociVersion, id, pid, startTime, bundle, rootfs, created, annotations, freezerFile(cgroup)];
  return `${HEAD_LINE}${JSON.stringify(head)},\n${JSON.stringify(record).slice(1)}`;
}

/** The head of a record; one that was written before there was a line of its own for it is read as a whole. */
export function headOfText(text: string): RecordHead {
  // Inside a JSON string a line cannot end.
  const end = text.startsWith(HEAD_LINE) ? text.indexOf("\n") : -1;
  if (end < 0) {
    const record = JSON.parse(text) as ContainerRecord;
    return { ...record, freezerFile: freezerFile(record.cgroup) };
  }
  const line = JSON.parse(text.slice(HEAD_LINE.length, end - 1)) as HeadLine;
  const [ociVersion, id, pid, startTime, bundle, rootfs, created, annotations, freezer] = line;
  return { ociVersion, id, pid, startTime, bundle, rootfs, created, annotations, freezerFile: freezer };
}

type HeadLine = readonly [
  ociVersion: string,
  id: string,
  pid: number,
  startTime: number,
  bundle: string,
  rootfs: string,
  created: string,
  annotations: Readonly<Record<string, string>>,
  freezerFile: string,
];

/** How the kernel finds the files of a state directory: `prefix` and their name, below an open directory. */
export interface StatePlace {
  readonly dirfd: number;
  readonly prefix: string;
}

/** The place of a container when its root is open: a short way for the kernel, which counts when a thousand are looked at. */
export function placeBelow(rootFd: number, id: string): StatePlace {
  return { dirfd: rootFd, prefix: `${id}/` };
}

/** The head of a record; null when there is no state.json (a create that was killed early, or a container that has just gone). */
export function tryReadHead(kernel: Kernel, place: StatePlace): RecordHead | null {
  const text = readState(kernel, place);
  return text === null ? null : headOfText(text);
}

function readState(kernel: Kernel, { dirfd, prefix }: StatePlace): string | null {
  try {
    return kernel.fs.readTextAt(dirfd, prefix + STATE, LIMIT);
  } catch (error) {
    if (isSysError(error, "ENOENT")) return null;
    throw error;
  }
}

/** An open state directory. Close it with `close`. */
export class StateDirectory implements StatePlace {
  readonly path: string;
  readonly fd: number;
  readonly prefix = "";
  readonly #kernel: Kernel;

  private constructor(kernel: Kernel, path: string, fd: number) {
    this.#kernel = kernel;
    this.path = path;
    this.fd = fd;
  }

  get dirfd(): number {
    return this.fd;
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
    const text = readState(this.#kernel, this);
    return text === null ? null : (JSON.parse(text) as ContainerRecord);
  }

  /** Throws `not-found` like a missing container. */
  read(): ContainerRecord {
    return existing(this.tryRead());
  }

  /** Its head alone. Throws as `read`. */
  readHead(): RecordHead {
    return existing(tryReadHead(this.#kernel, this));
  }

  write(record: ContainerRecord): void {
    this.#kernel.fs.replaceFileAt(this.fd, STATE, textOfRecord(record), 0o600, false);
  }

  /** Writes the next state.json beside the current one; `commit` puts it in place, in one step. */
  prepare(record: ContainerRecord): void {
    const { fs } = this.#kernel;
    const fd = fs.openat(this.fd, NEXT_STATE, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o600);
    try {
      fs.write(fd, textOfRecord(record));
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

function existing<T>(found: T | null): T {
  if (found === null) throw verbatim("not-found", "container does not exist");
  return found;
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
