// The only way into a root file system: every path is resolved inside the root, by the kernel where it can (scoped-open.ts), and
// handed on as an fd.
// Classes of attack held off here: symlinks and ".." out of the root, magic links, swaps between check and use
// (CVE-2019-18837, 2021-30465, 2024-45310). Nothing in the runtime opens a container's path in another way.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import {
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  S_IFLNK,
  S_IFMT,
} from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import { openScoped, openScopedIfThere } from "./scoped-open.ts";

const INSIDE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
const MAX_LINKS = 40;

/** What `openTarget` found or made. The caller closes `fd`. */
export interface Target {
  /** O_PATH. */
  readonly fd: number;
  /** A symlink was followed (inside the root) on the way. */
  readonly followedLink: boolean;
  /** It was not there before. */
  readonly made: boolean;
}

/** A root file system held by an fd. Paths are absolute or relative, both meaning "from the root". */
export class RootfsPath {
  readonly fd: number;
  readonly #kernel: Kernel;

  /** Takes an O_PATH fd of the root directory; the caller keeps owning it. */
  constructor(kernel: Kernel, fd: number) {
    this.#kernel = kernel;
    this.fd = fd;
  }

  /** Opens inside the root, links followed inside. Throws the kernel's SysError. Caller closes. */
  open(path: string, flags: number): number {
    return openScoped(this.#kernel, this.fd, rooted(path), flags, INSIDE);
  }

  /** The same, refusing any symlink on the way (ELOOP). */
  openStrict(path: string, flags: number): number {
    return openScoped(this.#kernel, this.fd, rooted(path), flags, INSIDE | RESOLVE_NO_SYMLINKS);
  }

  /** O_PATH fd, or null when there is nothing. */
  find(path: string): number | null {
    const fd = openScopedIfThere(this.#kernel, this.fd, rooted(path), O_PATH, INSIDE);
    return fd < 0 ? null : fd;
  }

  /** A mount target that exists or is made: directory, or empty file with its parents. */
  openTarget(path: string, kind: "directory" | "file"): Target {
    try {
      const resolve = INSIDE | RESOLVE_NO_SYMLINKS;
      const fd = openScopedIfThere(this.#kernel, this.fd, rooted(path), O_PATH, resolve);
      if (fd >= 0) return { fd, followedLink: false, made: false };
    } catch (error) {
      if (!isSysError(error, "ELOOP")) throw error;
    }
    const simple = kind === "directory" ? this.#makeInParent(path) : null;
    if (simple !== null) return { fd: simple, followedLink: false, made: true };
    const existing = this.find(path);
    if (existing !== null) return { fd: existing, followedLink: true, made: false };
    const fd = kind === "directory" ? this.makeDirectory(path) : this.#makeFile(path);
    return { fd, followedLink: true, made: true };
  }

  /** The same, but a symbolic link as the last name is the target itself. */
  openItself(path: string, kind: "directory" | "file"): Target {
    const found = openScopedIfThere(this.#kernel, this.fd, rooted(path), O_PATH | O_NOFOLLOW, INSIDE);
    if (found >= 0) return { fd: found, followedLink: true, made: false };
    const fd = kind === "directory" ? this.makeDirectory(path) : this.#makeFile(path);
    return { fd, followedLink: true, made: true };
  }

  /** A symbolic link that leads to `goal`; one that is there already is fine. Throws `conflict` for anything else of that name. */
  makeLink(path: string, goal: string): void {
    const { fs } = this.#kernel;
    const steps = components(path);
    const name = steps.pop() ?? "";
    const parent = this.#makeSteps(steps, MAX_LINKS);
    try {
      fs.symlinkAt(goal, parent, name);
    } catch (error) {
      if (!isSysError(error, "EEXIST")) throw error;
      const found = openScoped(this.#kernel, parent, name, O_PATH | O_NOFOLLOW, INSIDE);
      const same = (fs.fstat(found).mode & S_IFMT) === S_IFLNK && fs.readlinkAt(found, "") === goal;
      fs.close(found);
      if (!same)
        throw new TeuError({
          code: "conflict",
          op: "make symbolic link",
          subject: path,
          message: `the root file system has something else there than a link to ${JSON.stringify(goal)}`,
        });
    } finally {
      fs.close(parent);
    }
  }

  /** The usual case, in three calls: only the last name is missing, and there is no link on the way. */
  #makeInParent(path: string): number | null {
    const { fs } = this.#kernel;
    const cut = path.lastIndexOf("/");
    let parent = -1;
    try {
      parent = this.openStrict(path.slice(0, cut), O_PATH | O_DIRECTORY);
      return this.#makeStep(parent, path.slice(cut + 1));
    } catch (error) {
      if (isSysError(error, "ENOENT") || isSysError(error, "ELOOP") || isSysError(error, "ENOTDIR")) return null;
      throw error;
    } finally {
      if (parent >= 0) fs.close(parent);
    }
  }

  /** mkdir -p inside the root, step by step under a held fd; mode 0755. Returns an O_PATH fd of the last one. */
  makeDirectory(path: string): number {
    return this.#makeSteps(components(path), MAX_LINKS);
  }

  #makeSteps(steps: readonly string[], linksLeft: number): number {
    const { fs } = this.#kernel;
    let made = this.open("/", O_PATH | O_DIRECTORY);
    for (let i = 0; i < steps.length; i++) {
      const name = steps[i] ?? "";
      const prefix = steps.slice(0, i + 1).join("/");
      let next = this.find(prefix);
      try {
        if (next === null) next = this.#makeStep(made, name);
      } finally {
        fs.close(made);
      }
      if (next === null) {
        // A symlink whose goal is missing: go on at its goal, still resolved inside the root.
        if (linksLeft === 0) throw loop(prefix);
        return this.#makeSteps(this.#followDangling(steps, i), linksLeft - 1);
      }
      made = next;
    }
    return made;
  }

  /** mkdirat below a held fd; null when a dangling symlink has the name. */
  #makeStep(parent: number, name: string): number | null {
    const { fs } = this.#kernel;
    try {
      fs.mkdirAt(parent, name, 0o755);
    } catch (error) {
      if (!isSysError(error, "EEXIST")) throw error;
    }
    try {
      return openScoped(this.#kernel, parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, INSIDE | RESOLVE_NO_SYMLINKS);
    } catch (error) {
      if (isSysError(error, "ELOOP") || isSysError(error, "ENOTDIR")) return null;
      throw error;
    }
  }

  #followDangling(steps: readonly string[], at: number): string[] {
    const { fs } = this.#kernel;
    const link = this.open(`/${steps.slice(0, at).join("/")}`, O_PATH | O_DIRECTORY);
    try {
      const goal = fs.readlinkAt(link, steps[at] ?? "");
      const base = goal.startsWith("/") ? [] : steps.slice(0, at);
      return components([...base, goal, ...steps.slice(at + 1)].join("/"));
    } finally {
      fs.close(link);
    }
  }

  #makeFile(path: string): number {
    const { fs } = this.#kernel;
    const steps = components(path);
    const name = steps.pop();
    if (name === undefined) throw loop(path);
    const parent = this.#makeSteps(steps, MAX_LINKS);
    try {
      // O_EXCL: a symlink planted here in the meantime is not followed but refused.
      const made = fs.openat(parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDONLY | O_CLOEXEC, 0o755);
      fs.close(made);
      return openScoped(this.#kernel, parent, name, O_PATH | O_NOFOLLOW, INSIDE | RESOLVE_NO_SYMLINKS);
    } finally {
      fs.close(parent);
    }
  }
}

/** The names of a path without ".", empty ones, and with ".." taken lexically (never above the root). */
export function components(path: string): string[] {
  const out: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") out.pop();
    else out.push(part);
  }
  return out;
}

/** `/a/b` form of a path, lexically cleaned. */
export function cleanPath(path: string): string {
  // Most are clean already.
  if (path.startsWith("/") && !path.endsWith("/") && !path.includes("//") && !path.includes("/.")) return path;
  return `/${components(path).join("/")}`;
}

function rooted(path: string): string {
  return path.startsWith("/") ? path : `/${path}`;
}

function loop(path: string): TeuError {
  return new TeuError({
    code: "invalid",
    op: "resolve path in rootfs",
    subject: path,
    message: "too many symbolic links, or a link in place of a file",
  });
}
