// What an image has where a new volume is mounted becomes the volume's first content, with owners, modes, times and attributes, as
// Docker does it. Read through the union view: nothing is mounted, and no link of the image leads out of it.

import type { Scope } from "@teu/base/scope";
import { chmodAt, chownAt, fchmod, fchown, futimens, setTimesAt } from "@teu/files/attributes";
import {
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_WRONLY,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from "@teu/files/constants";
import { copyRange } from "@teu/files/data";
import { linkAt, mkdirAt, mknodAt, symlinkAt } from "@teu/files/entries";
import { OwnedFd, openat2, openDirectory } from "@teu/files/open";
import { isType, type Stat } from "@teu/files/stat";
import { setXattr } from "@teu/files/xattrs";
import type { UnionView } from "@teu/image/layer/union-view";

/** Bytes copied before the event loop gets its turn. */
const CHUNK = 16 << 20;

/** Copies the directory at `target` of `view` into the empty `directory`. False when there is no directory at `target`. */
export async function fillVolume(scope: Scope, view: UnionView, target: string, directory: string): Promise<boolean> {
  const found = view.lookup(target);
  if (found === null || !isType(found.stat.mode, S_IFDIR)) return false;
  using root = openDirectory(directory);
  await new Filler(scope, view, root.fd).fillDirectory(found.path, "", found.stat);
  return true;
}

class Filler {
  readonly #scope: Scope;
  readonly #view: UnionView;
  readonly #root: number;
  /** First copy of each file that has several names. */
  readonly #linked: Map<string, string> = new Map();

  constructor(scope: Scope, view: UnionView, root: number) {
    this.#scope = scope;
    this.#view = view;
    this.#root = root;
  }

  /** `from`: in the view; `to`: below the volume, "" for its root, whose directory is there already. */
  async fillDirectory(from: string, to: string, stat: Stat): Promise<void> {
    this.#scope.check("fill volume");
    if (to !== "") mkdirAt(this.#root, to, 0o700);
    for (const entry of this.#view.readDir(from)) {
      const path = `${from === "/" ? "" : from}/${entry.name}`;
      const place = to === "" ? entry.name : `${to}/${entry.name}`;
      if (isType(entry.stat.mode, S_IFDIR)) await this.fillDirectory(path, place, entry.stat);
      else await this.#fillEntry(path, place, entry.stat);
    }
    // Last: making entries changed its time, and a mode may forbid making them.
    using made = openDirectoryAt(this.#root, to);
    this.#xattrs(from, made.fd, "");
    attributes(made.fd, stat);
  }

  async #fillEntry(from: string, to: string, stat: Stat): Promise<void> {
    const key = `${stat.devMajor}:${stat.devMinor}:${stat.ino}`;
    const first = stat.nlink > 1 ? this.#linked.get(key) : undefined;
    if (first !== undefined) return linkAt(this.#root, first, this.#root, to);
    if (isType(stat.mode, S_IFREG)) await this.#fillFile(from, to, stat);
    else if (isType(stat.mode, S_IFLNK)) symlinkAt(this.#view.readlink(from), this.#root, to);
    else if (isType(stat.mode, S_IFIFO)) mknodAt(this.#root, to, S_IFIFO | 0o600, 0, 0);
    else if (isType(stat.mode, S_IFCHR) || isType(stat.mode, S_IFBLK))
      mknodAt(this.#root, to, (stat.mode & S_IFMT) | 0o600, stat.rdevMajor, stat.rdevMinor);
    // A socket without its server is of no use.
    else return;
    if (!isType(stat.mode, S_IFREG)) {
      chownAt(this.#root, to, stat.uid, stat.gid);
      if (!isType(stat.mode, S_IFLNK)) chmodAt(this.#root, to, stat.mode & 0o7777);
      this.#xattrs(from, this.#root, to);
      setTimesAt(this.#root, to, stat.mtimeNs);
    }
    this.#linked.set(key, to);
  }

  async #fillFile(from: string, to: string, stat: Stat): Promise<void> {
    using source = this.#view.openFile(from);
    using target = new OwnedFd(openat2(this.#root, to, O_WRONLY | O_CREAT | O_EXCL, 0o600));
    while (copyRange(source.fd, target.fd, CHUNK) > 0) {
      if (stat.size > CHUNK) await new Promise((resolve) => setImmediate(resolve));
      this.#scope.check("fill volume");
    }
    this.#xattrs(from, target.fd, "");
    attributes(target.fd, stat);
  }

  #xattrs(from: string, fd: number, name: string): void {
    for (const [key, value] of this.#view.xattrs(from)) setXattr(fd, name, key, value);
  }
}

function openDirectoryAt(root: number, path: string): OwnedFd {
  return new OwnedFd(openat2(root, path === "" ? "." : path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
}

/** Owner first: changing it takes set-id bits away. */
function attributes(fd: number, stat: Stat): void {
  fchown(fd, stat.uid, stat.gid);
  fchmod(fd, stat.mode & 0o7777);
  futimens(fd, stat.mtimeNs);
}
