// Path resolution of the fake kernel, path_resolution(7) and openat2(2): mounts, symlinks, "..", and RESOLVE_* flags.
// portable: no host types here.

import {
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
  S_IFLNK,
} from "../constants/fs.ts";
import { sysError } from "../sys-error.ts";
import type { Inode } from "./inode.ts";
import type { Location, World } from "./world.ts";

const AT_FDCWD = -100;
const MAX_LINKS = 40;

/** Where a walk ended: `location` null when only the last name is missing in `parent`. */
export interface Found {
  readonly location: Location | null;
  readonly parent: Location;
  readonly name: string;
}

/** Resolves; `follow`: also a final symlink. Throws ENOENT (for all but the last name), ENOTDIR, ELOOP, EXDEV. */
export function walk(world: World, dirfd: number, path: string, follow: boolean, resolve: number, call: string): Found {
  const base = dirfd === AT_FDCWD ? world.self.cwd : world.located(dirfd, call);
  const inRoot = (resolve & RESOLVE_IN_ROOT) !== 0;
  if (path.startsWith("/") && (resolve & RESOLVE_BENEATH) !== 0) throw sysError("EXDEV", call, path);
  const root = inRoot || (resolve & RESOLVE_BENEATH) !== 0 ? base : world.self.root;
  const state: WalkState = { root, resolve, call, path, links: MAX_LINKS };
  return step(state, path.startsWith("/") ? top(root) : base, parts(path), follow);
}

/** Resolves what must exist. Throws ENOENT. */
export function find(world: World, dirfd: number, path: string, follow: boolean, call: string, resolve = 0): Location {
  const { location } = walk(world, dirfd, path, follow, resolve, call);
  if (location === null) throw sysError("ENOENT", call, path);
  return location;
}

/** The mount stacked on top at this place. */
export function top(location: Location): Location {
  let { mount, inode } = location;
  for (let above = mount.children.get(inode); above !== undefined; above = mount.children.get(inode)) {
    mount = above;
    inode = above.root;
  }
  return { mount, inode };
}

interface WalkState {
  readonly root: Location;
  readonly resolve: number;
  readonly call: string;
  readonly path: string;
  links: number;
}

/** A slash at the end is one name more, ".": what is before it is followed, and must be a directory. */
function parts(path: string): string[] {
  const names = path.split("/").filter((part) => part !== "" && part !== ".");
  return names.length > 0 && /\/\.?$/.test(path) ? [...names, "."] : names;
}

function step(state: WalkState, from: Location, names: readonly string[], follow: boolean): Found {
  let at = from;
  for (const [index, name] of names.entries()) {
    const last = index === names.length - 1;
    if (!at.inode.isDirectory) throw sysError("ENOTDIR", state.call, state.path);
    if (name === ".") continue;
    if (name === "..") {
      at = up(state, at);
      continue;
    }
    const child = at.inode.child(name);
    if (child === null) {
      if (names.slice(index + 1).every((rest) => rest === ".")) return { location: null, parent: at, name };
      throw sysError("ENOENT", state.call, state.path);
    }
    if (child.type === S_IFLNK && (!last || follow)) {
      return throughLink(state, at, child, names.slice(index + 1), follow);
    }
    const next = top({ mount: at.mount, inode: child });
    if (next.mount !== at.mount && (state.resolve & RESOLVE_NO_XDEV) !== 0)
      throw sysError("EXDEV", state.call, state.path);
    if (last && child.type === S_IFLNK && (state.resolve & RESOLVE_NO_SYMLINKS) !== 0 && follow)
      throw sysError("ELOOP", state.call, state.path);
    if (last) return { location: next, parent: at, name };
    at = next;
  }
  return { location: at, parent: at, name: "." };
}

function throughLink(state: WalkState, at: Location, link: Inode, rest: readonly string[], follow: boolean): Found {
  if ((state.resolve & RESOLVE_NO_SYMLINKS) !== 0 || state.links-- <= 0)
    throw sysError("ELOOP", state.call, state.path);
  const { goal } = link;
  // procfs links to objects (ns/*) have goals like "pid:[123]": magic, the link stands for the object itself.
  if (isMagic(link)) {
    if ((state.resolve & RESOLVE_NO_MAGICLINKS) !== 0) throw sysError("ELOOP", state.call, state.path);
    if (link.leads !== null) return step(state, link.leads(), rest, follow);
    return { location: { mount: at.mount, inode: link }, parent: at, name: goal };
  }
  if (goal.startsWith("/") && (state.resolve & RESOLVE_BENEATH) !== 0) throw sysError("EXDEV", state.call, state.path);
  return step(state, goal.startsWith("/") ? top(state.root) : at, [...parts(goal), ...rest], follow);
}

/** Is this a link to a kernel object? */
export function isMagic(inode: Inode): boolean {
  return inode.leads !== null || /^\w+:\[/.test(inode.goal);
}

function up(state: WalkState, at: Location): Location {
  let { mount, inode } = at;
  const root = top(state.root);
  if (mount === root.mount && inode === root.inode) {
    if ((state.resolve & RESOLVE_BENEATH) !== 0) throw sysError("EXDEV", state.call, state.path);
    return at;
  }
  while (inode === mount.root && mount.parent !== null && mount.point !== null) {
    inode = mount.point;
    mount = mount.parent;
  }
  return inode.parent === null ? { mount, inode } : { mount, inode: inode.parent };
}

/** The absolute path of a location seen from a root; "(unreachable)" before it when there is no way. */
export function pathOf(root: Location, location: Location): string {
  const names: string[] = [];
  let { mount, inode } = location;
  for (let steps = 0; steps < 4096; steps++) {
    if (inode === root.inode && mount === root.mount) return `/${names.join("/")}`;
    if (inode === mount.root) {
      if (mount.parent === null || mount.point === null) break;
      inode = mount.point;
      mount = mount.parent;
      continue;
    }
    const { parent } = inode;
    if (parent === null) break;
    const self = inode;
    names.unshift([...parent.entries].find(([, child]) => child === self)?.[0] ?? "?");
    inode = parent;
  }
  return `(unreachable)/${names.join("/")}`;
}
