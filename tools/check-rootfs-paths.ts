// A root file system is reached through packages/runtime/src/linux/rootfs-path.ts (with scoped-open.ts) and by nothing else. In every file of the kernel side
// that handles a root (imports RootfsPath, or is listed in INSIDE) each call that takes a path must stand in the table below, with
// the reason why it cannot lead out; an entry that nothing needs any more is a problem too. Calls on an fd alone (path "") are free.
// Elsewhere in the runtime: nobody opens with openat2 on his own, mounts by path, or takes the path of a root from the plan.

import { join } from "node:path";
import { type CallExpression, type Expression, type SpreadElement, Visitor } from "oxc-parser";
import { isTest, loadSources, place, report, type Source } from "./check/sources.ts";

const MODULES: ReadonlySet<string> = new Set([
  "packages/runtime/src/linux/rootfs-path.ts",
  "packages/runtime/src/linux/scoped-open.ts",
]);

/** Where the paths are among a call's arguments, each after the descriptor that it starts from (-1: from nowhere). */
const CALLS: Readonly<Record<string, readonly (readonly [fd: number, path: number])[]>> = {
  openat: [[0, 1]],
  openat2: [[0, 1]],
  openIfThere: [[0, 1]],
  readTextAt: [[0, 1]],
  writeTextAt: [[0, 1]],
  statAt: [[0, 1]],
  accessAt: [[0, 1]],
  mkdirAt: [[0, 1]],
  mknodAt: [[0, 1]],
  mkfifoAt: [[0, 1]],
  symlinkAt: [[1, 2]],
  linkAt: [
    [0, 1],
    [2, 3],
  ],
  renameAt: [
    [0, 1],
    [2, 3],
  ],
  unlinkAt: [[0, 1]],
  readlinkAt: [[0, 1]],
  chmodAt: [[0, 1]],
  chownAt: [[0, 1]],
  removeTree: [[0, 1]],
  replaceFileAt: [[0, 1]],
  getxattr: [[-1, 0]],
  setxattr: [[-1, 0]],
  filesystemType: [[-1, 0]],
  openTree: [[0, 1]],
  moveMount: [
    [0, 1],
    [2, 3],
  ],
  mountSetattr: [[0, 1]],
  mount: [[-1, 1]],
  umount2: [[-1, 0]],
  pivotRoot: [[-1, 0]],
  chdir: [[-1, 0]],
  execveat: [[0, 1]],
};
/** The same for the functions of scoped-open.ts, which stand for openat2. */
const FUNCTIONS: typeof CALLS = {
  openScoped: [[1, 2]],
  openScopedIfThere: [[1, 2]],
  walkBelow: [[1, 2]],
};
const OBJECTS: ReadonlySet<string> = new Set(["fs", "mount", "process"]);

/** Files that work inside a root without holding one. */
const INSIDE: readonly string[] = [
  "packages/runtime/src/linux/become.ts",
  "packages/runtime/src/linux/program.ts",
  "packages/runtime/src/linux/sysctl.ts",
  "packages/runtime/src/linux/cgroup/mount.ts",
  "packages/shim/src/rootfs/mount-rootfs.ts",
];

/** "call path-as-written": why it is safe. */
export type Allowed = Readonly<Record<string, Readonly<Record<string, string>>>>;

const HOST = "a path of the host, from the configuration or fixed, before the root is changed";
const NAME = "one name, below a descriptor that was opened inside the root, never following a link";
const OURS = "below a file system that we have just made and nobody else can reach";
const AFTER = "after the change of root: it resolves as the container's own program would";

/** The table. */
export const ALLOWED: Allowed = {
  "packages/runtime/src/linux/become.ts": {
    'openat AT_FDCWD, "/"': "closed at once: only its number is wanted",
    "execveat AT_FDCWD, program.path": AFTER,
    "chdir path": "after the change of root, and getcwd is asked afterwards whether it is inside (CVE-2024-21626)",
  },
  "packages/runtime/src/linux/program.ts": {
    "statAt AT_FDCWD, path": AFTER,
    "accessAt AT_FDCWD, path": AFTER,
    "accessAt AT_FDCWD, PASSWD": AFTER,
    "statAt AT_FDCWD, PASSWD": AFTER,
    "readTextAt AT_FDCWD, PASSWD": AFTER,
  },
  "packages/runtime/src/linux/sysctl.ts": {
    "statAt AT_FDCWD, `/proc/self/ns/${NAMESPACE_FILES[type]}`": HOST,
    "openScoped proc, `sys/${path}`": "in a private procfs, without links and mounts on the way (CVE-2025-52881)",
  },
  "packages/runtime/src/linux/cgroup/mount.ts": {
    "mkdirAt tmpfs, name": OURS,
    "moveMount tmpfs, name": OURS,
    "symlinkAt tmpfs, alias": OURS,
    "openTree AT_FDCWD, directory.path": HOST,
  },
  "packages/runtime/src/linux/copy-up.ts": {
    'openat tree, "."': OURS,
    "statAt from, name": NAME,
    "readlinkAt from, name": NAME,
    "openat from, name": NAME,
    "symlinkAt to, name": OURS,
    "chownAt to, name": OURS,
    "mkdirAt to, name": OURS,
    "openat to, name": OURS,
  },
  "packages/runtime/src/linux/devices.ts": {
    "mknodAt parent, name": NAME,
    "chownAt parent, name": NAME,
    "openat parent, name": NAME,
    "openScoped parent, name": NAME,
    "openTree AT_FDCWD, device.path": HOST,
    "symlinkAt dev, name": NAME,
    'symlinkAt dev, "ptmx"': NAME,
    'unlinkAt dev, "ptmx"': NAME,
  },
  "packages/runtime/src/linux/enter.ts": {
    "replaceFileAt AT_FDCWD, request.pidFile": HOST,
    "readlinkAt AT_FDCWD, `/proc/self/ns/${file}`": HOST,
    "readlinkAt AT_FDCWD, `/proc/${record.pid}/ns/${file}`": HOST,
    "openat AT_FDCWD, path": "a cgroup directory of the host, before the container is entered",
    "openat AT_FDCWD, `/proc/${record.pid}/root`": "root of init, which is checked to be init afterwards",
    'openat AT_FDCWD, "/"': AFTER,
    'chdir "/"': AFTER,
  },
  "packages/runtime/src/container/status.ts": {
    "openIfThere dirfd, prefix + START_FIFO": "in the state directory",
  },
  "packages/runtime/src/linux/hot-mounts.ts": {
    'umount2 "."': "the directory was entered by descriptor",
    "umount2 destination.slice(cut + 1)":
      "one name, in a directory that was entered by descriptor, not following a link",
    'chdir "/"': AFTER,
    'openat AT_FDCWD, "/"': AFTER,
  },
  "packages/runtime/src/linux/labels.ts": {
    "openScopedIfThere proc, `self/${file}`":
      "in the host's procfs, checked to be one, without magic links and mounts on the way",
  },
  "packages/runtime/src/linux/masks.ts": {
    'openat AT_FDCWD, "/dev/null"': "the host's, not following a link, and checked to be 1:3 (CVE-2025-31133)",
  },
  "packages/runtime/src/linux/mount-tree.ts": {
    "openTree AT_FDCWD, step.source": HOST,
    "openat AT_FDCWD, path": "a link of the host that is itself copied: not followed",
  },
  "packages/runtime/src/linux/rootfs.ts": {
    "plan.rootfs": "the one place that opens it",
    "openat AT_FDCWD, plan.rootfs": "the one place that opens it",
    'mountSetattr AT_FDCWD, "/"': "propagation of the whole tree, before and after the change of root",
    "statAt AT_FDCWD, path": HOST,
    'mountSetattr AT_FDCWD, path === "" ? "/" : path': HOST,
    'pivotRoot "."': "the directory was entered by descriptor",
    'mountSetattr AT_FDCWD, "."': "the old root, just after pivot_root",
    'umount2 "."': "the old root, just after pivot_root",
    'chdir "/"': AFTER,
    'readTextAt AT_FDCWD, "/proc/self/mountinfo"': HOST,
    "umount2 path": HOST,
    'moveMount AT_FDCWD, "/"': "--no-pivot: over the root of this mount namespace",
  },
  "packages/runtime/src/linux/start.ts": {
    "plan.rootfs": "goes into the record",
  },
  "packages/runtime/src/linux/checkpoint/facts.ts": {
    "readTextAt AT_FDCWD, `/proc/${pid}/mountinfo`": HOST,
    "openat AT_FDCWD, `/proc/${pid}/root`": "init's root, as a root to look into",
    "readlinkAt AT_FDCWD, `/proc/${pid}/fd/${fd}`": HOST,
    "readTextAt AT_FDCWD, `/proc/${pid}/fdinfo/${fd}`": HOST,
    "statAt AT_FDCWD, `/proc/${pid}/fd/${fd}`": HOST,
    "statAt AT_FDCWD, `/proc/${pid}/ns/${file}`": HOST,
  },
  "packages/runtime/src/linux/checkpoint/restore.ts": {
    "mkdirAt directory.fd, ROOT_PLACE": "in the state directory",
    "unlinkAt directory.fd, ROOT_PLACE": "in the state directory",
    "plan.rootfs": "opened as a root, and named to CRIU",
    "openat AT_FDCWD, plan.rootfs": "opened as a root",
    "replaceFileAt AT_FDCWD, request.pidFile": HOST,
    "accessAt AT_FDCWD, path": HOST,
    "statAt AT_FDCWD, source": HOST,
    "readTextAt AT_FDCWD, `/proc/${pid}/cgroup`": HOST,
  },
  "packages/runtime/src/testing/without-openat2.ts": { "openIfThere dirfd, path": "a kernel for tests" },
  "packages/shim/src/rootfs/mount-rootfs.ts": {
    'mount "/"': "propagation of the shim's own mount namespace",
    "mount target": "the engine's own directory, which was opened just before",
    "umount2 target": "the engine's own directory, not following a link",
    "openTree AT_FDCWD, source": "a layer of the engine's store",
    "openat AT_FDCWD, path": "a layer or directory of the engine's store",
  },
};

/** Problems, one line each. */
export function checkRootfsPaths(sources: readonly Source[], allowed: Allowed): string[] {
  const problems: string[] = [];
  const used = new Set<string>();
  for (const source of sources) {
    if (isTest(source.path) || !/^packages\/(runtime|shim)\/src\//.test(source.path) || MODULES.has(source.path))
      continue;
    const handles = INSIDE.includes(source.path) || /\bRootfsPath\b/.test(source.text);
    new Visitor({
      CallExpression: (node) => {
        for (const key of pathCalls(node, source)) {
          const call = key.split(" ")[0] ?? "";
          if (!handles && !["openat2", "openIfThere", "mount", ...Object.keys(FUNCTIONS)].includes(call)) continue;
          if (allowed[source.path]?.[key] !== undefined) used.add(`${source.path} ${key}`);
          else problems.push(`${place(source, node.start)}: ${key}: ${ADVICE}`);
        }
      },
      MemberExpression: (node) => {
        const key = "plan.rootfs";
        if (source.text.slice(node.start, node.end) !== key) return;
        if (allowed[source.path]?.[key] !== undefined) used.add(`${source.path} ${key}`);
        else problems.push(`${place(source, node.start)}: ${key}: ${ADVICE}`);
      },
    }).visit(source.program);
  }
  for (const [path, keys] of Object.entries(allowed))
    for (const key of Object.keys(keys))
      if (!used.has(`${path} ${key}`))
        problems.push(`${path}: ${key} is allowed in tools/check-rootfs-paths.ts, but not there`);
  return problems;
}

const ADVICE =
  "touch a root file system through RootfsPath; if this cannot lead out of it, say why in ALLOWED (tools/check-rootfs-paths.ts)";

// As in "openat AT_FDCWD, plan.rootfs": one for each path of the call that is not the empty one.
function pathCalls(node: CallExpression, source: Source): string[] {
  const { name, pairs } = called(node);
  const textOf = (argument: Expression | SpreadElement | undefined): string =>
    argument === undefined ? "" : source.text.slice(argument.start, argument.end).replaceAll(/\s+/g, " ");
  return pairs.flatMap(([fd, path]) => {
    const text = textOf(node.arguments[path]);
    if (text === '""') return [];
    return [`${name} ${fd < 0 ? "" : `${textOf(node.arguments[fd])}, `}${text}`];
  });
}

/** What it calls, and where the paths are among the arguments. */
function called({ callee }: CallExpression): { name: string; pairs: NonNullable<(typeof CALLS)[string]> } {
  const of = (calls: typeof CALLS, name: string) => ({
    name,
    pairs: (Object.hasOwn(calls, name) && calls[name]) || [],
  });
  if (callee.type === "Identifier") return of(FUNCTIONS, callee.name);
  if (callee.type !== "MemberExpression" || callee.property.type !== "Identifier") return { name: "", pairs: [] };
  return OBJECTS.has(objectName(callee.object)) ? of(CALLS, callee.property.name) : { name: "", pairs: [] };
}

function objectName(node: Expression): string {
  if (node.type === "Identifier") return node.name;
  if (node.type === "MemberExpression" && node.property.type === "Identifier") return node.property.name;
  return "";
}

if (import.meta.main)
  report("check-rootfs-paths", checkRootfsPaths(loadSources(join(import.meta.dirname, "..")), ALLOWED));
