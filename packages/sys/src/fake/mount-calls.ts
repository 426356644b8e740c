// sys:mount and sys:namespace of the fake kernel.
// portable: no host types here.

import { AT_RECURSIVE, DEVPTS_SUPER_MAGIC, S_IFCHR, TMPFS_MAGIC } from "../constants/fs.ts";
import { OPEN_TREE_CLONE } from "../constants/mount.ts";
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from "../constants/process.ts";
import type { Kernel } from "../kernel.ts";
import { sysError } from "../sys-error.ts";
import { type Inode, device, directory } from "./inode.ts";
import { find, top } from "./lookup.ts";
import { Mount, type FakeProcess, type Location, type World, openFile } from "./world.ts";

/** CLONE_NEW* to the name in /proc/PID/ns. */
export const NAMESPACE_NAMES: readonly (readonly [number, string])[] = [
  [CLONE_NEWUSER, "user"],
  [CLONE_NEWPID, "pid"],
  [CLONE_NEWNET, "net"],
  [CLONE_NEWNS, "mnt"],
  [CLONE_NEWIPC, "ipc"],
  [CLONE_NEWUTS, "uts"],
  [CLONE_NEWCGROUP, "cgroup"],
  [CLONE_NEWTIME, "time"],
];

/** What `fsopen` makes, by type; the host's windows come from the world's maker. */
export interface Filesystems {
  proc(): Inode;
  sysfs(): Inode;
  cgroup(controllers: string): Inode;
}

/** sys:mount. */
export function mountCalls(world: World, filesystems: Filesystems): Kernel["mount"] {
  const setattr = (mount: Mount, recursive: boolean, set: number, clear: number, propagation: number): void => {
    mount.attributes = (mount.attributes & ~clear) | set;
    if (propagation !== 0) mount.propagation = propagation;
    if (recursive) for (const child of mount.children.values()) setattr(child, true, set, clear, propagation);
  };
  const at = (dirfd: number, path: string, call: string): Location =>
    path === "" ? world.located(dirfd, call) : find(world, dirfd, path, true, call);
  return {
    mount: (source, target, fstype) => {
      const where = find(world, -100, target, true, "mount");
      where.mount.attach(where.inode, new Mount(newRoot(filesystems, fstype, source, []), fstype));
    },
    umount2: (target) => {
      const { mount, inode } = find(world, -100, target, true, "umount2");
      // After pivot_root(".", ".") this is the old root, which the fake has already let go.
      if (mount.parent === null || mount.point === null) return;
      if (inode !== mount.root) throw sysError("EINVAL", "umount2", target);
      mount.parent.children.delete(mount.point);
    },
    pivotRoot: (newRoot_, putOld) => {
      const place = find(world, -100, newRoot_, true, "pivot_root");
      find(world, -100, putOld, true, "pivot_root");
      if (place.inode !== place.mount.root) throw sysError("EINVAL", "pivot_root", newRoot_);
      place.mount.parent = null;
      world.self.root = place;
      world.self.cwd = place;
    },
    openTree: (dirfd, path, flags) => {
      const place = at(dirfd, path, "open_tree");
      if ((flags & OPEN_TREE_CLONE) === 0) return world.install(openFile("file", { location: place }));
      const recursive = (flags & AT_RECURSIVE) !== 0;
      // A copy of a part of a mount has that part as its root.
      const copy = place.inode === place.mount.root ? place.mount.clone(recursive) : partOf(place, recursive);
      return world.install(openFile("file", { location: { mount: copy, inode: copy.root } }));
    },
    moveMount: (fromFd, fromPath, toFd, toPath) => {
      const from = at(fromFd, fromPath, "move_mount");
      const to = top(at(toFd, toPath, "move_mount"));
      if (from.inode !== from.mount.root) throw sysError("EINVAL", "move_mount", toPath);
      if (from.inode.isDirectory !== to.inode.isDirectory) throw sysError("ENOTDIR", "move_mount", toPath);
      if (from.mount.parent !== null && from.mount.point !== null) from.mount.parent.children.delete(from.mount.point);
      to.mount.attach(to.inode, from.mount);
    },
    mountSetattr: (dirfd, path, flags, { set, clear, propagation }) => {
      const { mount, inode } = at(dirfd, path, "mount_setattr");
      if (inode !== mount.root) throw sysError("EINVAL", "mount_setattr", path);
      setattr(mount, (flags & AT_RECURSIVE) !== 0, set, clear, propagation);
    },
    fsopen: (fstype) => {
      if (!KNOWN.has(fstype)) throw sysError("ENODEV", "fsopen", fstype);
      return world.install(openFile("context", { options: new Map([["fstype", fstype]]) }));
    },
    fsconfigString: (fd, key, value) => void world.file(fd, "fsconfig").options.set(key, value),
    fsconfigFlag: (fd, key) => void world.file(fd, "fsconfig").options.set(key, ""),
    fsconfigFd: (fd, key, value) => void world.file(fd, "fsconfig").options.set(key, String(value)),
    fsconfigCreate: (fd) => void world.file(fd, "fsconfig").options.set("\0created", ""),
    fsconfigReconfigure: (fd) => void world.file(fd, "fsconfig"),
    fsmount: (fd, _flags, attributes) => {
      const { options } = world.file(fd, "fsmount");
      if (!options.has("\0created")) throw sysError("EINVAL", "fsmount", "");
      const fstype = options.get("fstype") ?? "";
      const mount = new Mount(newRoot(filesystems, fstype, options.get("source") ?? "", [...options.keys()]), fstype);
      const mode = options.get("mode");
      if (mode !== undefined && fstype === "tmpfs")
        mount.root.mode = (mount.root.mode & ~0o7777) | Number.parseInt(mode, 8);
      mount.attributes = attributes;
      return world.install(openFile("file", { location: { mount, inode: mount.root } }));
    },
    fspick: (dirfd, path) => {
      at(dirfd, path, "fspick");
      return world.install(openFile("context"));
    },
  };
}

const KNOWN: ReadonlySet<string> = new Set([
  "proc",
  "tmpfs",
  "devpts",
  "mqueue",
  "sysfs",
  "cgroup",
  "cgroup2",
  "overlay",
]);

function newRoot(filesystems: Filesystems, fstype: string, source: string, options: readonly string[]): Inode {
  if (fstype === "proc") return filesystems.proc();
  if (fstype === "sysfs") return filesystems.sysfs();
  if (fstype === "cgroup2") return filesystems.cgroup("");
  if (fstype === "cgroup")
    return filesystems.cgroup(options.filter((name) => !["fstype", "source", "\0created"].includes(name)).join(","));
  if (fstype === "devpts") {
    const root = directory(DEVPTS_SUPER_MAGIC);
    root.add("ptmx", device(DEVPTS_SUPER_MAGIC, S_IFCHR, 5, 2));
    return root;
  }
  void source;
  return directory(TMPFS_MAGIC);
}

function partOf(place: Location, recursive: boolean): Mount {
  const part = new Mount(place.inode, place.mount.fstype);
  part.attributes = place.mount.attributes;
  if (recursive) {
    for (const [point, child] of place.mount.children)
      if (isBelow(point, place.inode)) part.attach(point, child.clone(true));
  }
  return part;
}

function isBelow(inode: Inode, ancestor: Inode): boolean {
  for (let at: Inode | null = inode; at !== null; at = at.parent) if (at === ancestor) return true;
  return false;
}

/** Gives a process new namespaces: ids, and a copy of the mounts for CLONE_NEWNS. */
export function newNamespaces(world: World, process: FakeProcess, flags: number): void {
  for (const [flag, name] of NAMESPACE_NAMES)
    if ((flags & flag) !== 0) process.namespaces[name] = world.nextNamespace++;
  if ((flags & CLONE_NEWUSER) !== 0) process.idMaps.clear();
  if ((flags & CLONE_NEWNS) === 0) return;
  const map = new Map<Mount, Mount>();
  topmost(process.root.mount).clone(true, map);
  const moved = ({ mount, inode }: Location): Location => ({ mount: map.get(mount) ?? mount, inode });
  process.root = moved(process.root);
  process.cwd = moved(process.cwd);
}

function topmost(mount: Mount): Mount {
  let at = mount;
  while (at.parent !== null) at = at.parent;
  return at;
}

/** Of its oldest member, which has it as its own root. */
function rootOfNamespace(world: World, id: number): Location {
  const member = [...world.processes.values()].find(({ namespaces }) => (namespaces["mnt"] ?? 0) === id);
  if (member === undefined) throw sysError("EINVAL", "setns", String(id));
  return member.root;
}

/** sys:namespace. */
export function namespaceCalls(world: World): Kernel["namespace"] {
  return {
    unshare: (flags) => newNamespaces(world, world.self, flags),
    setns: (fd, flags) => {
      const file = world.file(fd, "setns");
      if (file.kind === "pidfd") {
        const target = world.process(file.pid, "setns");
        if (target.state === "zombie") throw sysError("ESRCH", "setns", String(file.pid));
        for (const [flag, name] of NAMESPACE_NAMES)
          if ((flags & flag) !== 0) world.self.namespaces[name] = target.namespaces[name] ?? 0;
        if ((flags & CLONE_NEWNS) !== 0) Object.assign(world.self, { root: target.root, cwd: target.root });
        return;
      }
      const goal = /^(\w+):\[(\d+)\]/.exec(file.location?.inode.goal ?? "");
      if (goal === null) throw sysError("EINVAL", "setns", String(fd));
      if (goal[1] === "mnt") world.self.root = world.self.cwd = rootOfNamespace(world, Number(goal[2]));
      world.self.namespaces[goal[1] ?? ""] = Number(goal[2]);
    },
  };
}
