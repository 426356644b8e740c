// The defences of the walk by hand that stands for openat2, and of containers in the host's mount namespace.

import type { Defence, Killer } from "./defence.ts";

const LINUX = "packages/runtime/src/linux";
const walk = (name: string): Killer => ({ test: `${LINUX}/scoped-open.test.ts`, name });

/** A part of the table. */
export const WALK_DEFENCES: readonly Defence[] = [
  {
    name: "walk-follows-nothing",
    against: "CVE-2021-30465, 2024-45310, without openat2",
    what: "the walk by hand opens each name without following it",
    file: `${LINUX}/scoped-open.ts`,
    changes: [["name, flags | O_NOFOLLOW | O_CLOEXEC, 0);", "name, flags | O_CLOEXEC, 0);"]],
    kill: walk("walkBelow: .. and links stay below the root, whatever is there outside"),
  },
  {
    name: "walk-not-above",
    against: "CVE-2018-15664, without openat2",
    what: "for the walk by hand the parent is where it came from, and the root has none",
    file: `${LINUX}/scoped-open.ts`,
    changes: [
      ['    if (name === "..") this.#up();', '    if (name === "..") this.#enter(this.#openat("..", O_PATH));'],
    ],
    kill: walk("walkBelow: .. and links stay below the root, whatever is there outside"),
  },
  {
    name: "walk-no-magic-links",
    against: "CVE-2024-21626, without openat2",
    what: "the walk by hand goes through no magic link",
    file: `${LINUX}/scoped-open.ts`,
    changes: [
      [
        '    if (parent.ino !== PROC_ROOT_INO || parent.mountId !== link.mountId) throw this.#error("ELOOP");\n',
        "    void [parent, link, PROC_ROOT_INO];\n",
      ],
    ],
    kill: walk("walkBelow: magic links are refused, plain links of a procfs's uppermost directory are not"),
  },
  {
    name: "walk-verified",
    against: "CVE-2021-30465, without openat2",
    what: "what the walk by hand has found is below the root still",
    file: `${LINUX}/scoped-open.ts`,
    changes: [["      if (this.#isBelow()) return fd;", "      if (this.#isBelow() || true) return fd;"]],
    kill: walk("walkBelow: moving/leaf is not what it was moved out to; tried anew, and given up when that goes on"),
  },
  {
    name: "host-mounts-kept",
    against: "mounts of a container in the host's mount namespace",
    what: "without a mount namespace the container's mounts are in a tree that is attached nowhere",
    file: `${LINUX}/namespaces.ts`,
    changes: [["  if (hostMount) cloneFlags |= CLONE_NEWNS;\n", ""]],
    kill: { case: "mount: not listed, the container is in the host's, whose mounts stay as they are" },
  },
  {
    name: "exec-in-root",
    against: "escape by exec, which runc and crun let into the host's root there",
    what: "without a mount namespace exec goes into init's root",
    file: `${LINUX}/enter.ts`,
    changes: [["  if (prepared.rootFd >= 0) enterRoot(kernel, prepared.rootFd);\n", ""]],
    kill: { case: "mount: not listed, the host's tree is out of reach" },
  },
  {
    name: "hot-mounts-not-hosts",
    against: "mounts of a container in the host's mount namespace",
    what: "mounts add and remove do not touch the host's mounts",
    file: `${LINUX}/hot-mounts.ts`,
    changes: [['  if (!record.namespaces.includes("mount"))', "  if (false)"]],
    kill: {
      test: `${LINUX}/rootfs.test.ts`,
      name: "create: without a mount namespace the container is in the host's, its root a tree that is attached nowhere",
    },
  },
];
