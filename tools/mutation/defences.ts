// Every defence that can be taken away by one change of the source, and what must then fail: the data behind `npm run test:mutation`
// and docs/design/defences.md. Those of the runtime are here, others in files of their own.

import { CLIENT_DEFENCES } from "./client-defences.ts";
import type { Defence, Killer } from "./defence.ts";
import { GPG_DEFENCES } from "./gpg-defences.ts";
import { IMAGE_DEFENCES } from "./image-defences.ts";
import { SIGNING_DEFENCES } from "./signing-defences.ts";
import { WALK_DEFENCES } from "./walk-defences.ts";

const LINUX = "packages/runtime/src/linux";
const COMMANDS = "packages/runtime/src/commands";
const GOLDEN = "packages/runtime/src/explain.test.ts";
const golden = (name: string): Killer => ({ test: GOLDEN, name: `explain: transcript of ${name} is the recorded one` });

/** The table. */
export const DEFENCES: readonly Defence[] = [
  {
    name: "own-file-sealed",
    against: "CVE-2019-5736",
    what: "create, run and exec go on from a file that nobody can write, and go nowhere else",
    file: `${LINUX}/twin.ts`,
    changes: [["  if (process.imageSealed()) return;", "  if (process.imageSealed() || true) return;"]],
    seal: false,
    kill: { case: "binary: loops that write into /proc/N/exe during many execs change nothing" },
  },
  {
    name: "unsealed-refused",
    against: "CVE-2019-5736",
    what: "without the protection nothing is entered",
    file: `${LINUX}/twin.ts`,
    changes: [["  if (process.imageSealed()) return;", "  if (process.imageSealed() || true) return;"]],
    kill: {
      test: `${COMMANDS}/create.test.ts`,
      name: "create: denied, and nothing is left, when our own executable could be overwritten (CVE-2019-5736)",
    },
  },
  {
    name: "not-dumpable-start",
    against: "CVE-2016-9962",
    what: "nobody inside can ptrace the child of create, or read its descriptors",
    file: `${LINUX}/start.ts`,
    changes: [["kernel.process.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);", ""]],
    kill: golden("create-default"),
  },
  {
    name: "not-dumpable-exec",
    against: "CVE-2016-9962",
    what: "the same for exec",
    file: `${LINUX}/enter.ts`,
    changes: [["kernel.process.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);", ""]],
    kill: golden("exec"),
  },
  {
    name: "child-closes-descriptors",
    against: "CVE-2016-9962, 2024-21626",
    what: "the child keeps none of the runtime's descriptors but those it needs",
    file: `${LINUX}/twin.ts`,
    changes: [["  kernel.fs.closeRange(next, CLOSE_RANGE_ALL, 0);", ""]],
    kill: golden("exec"),
  },
  {
    name: "close-on-exec",
    against: "CVE-2024-21626",
    what: "what is still open goes at execve",
    file: `${LINUX}/become.ts`,
    changes: [["fs.closeRange(3 + keepFds, CLOSE_RANGE_ALL, CLOSE_RANGE_CLOEXEC);", ""]],
    kill: golden("exec"),
  },
  {
    name: "cwd-inside",
    against: "CVE-2024-21626",
    what: "the working directory must have a name inside the root",
    file: `${LINUX}/become.ts`,
    changes: [['if (!cwd.startsWith("/")) {', "if (false) {"]],
    kill: { case: "exec: the working directory is not a directory of the host that was passed in" },
  },
  {
    name: "no-magic-links",
    against: "CVE-2024-21626, 2021-30465",
    what: "no path of the root goes through a magic link (IN_ROOT forbids them today as well)",
    file: `${LINUX}/rootfs-path.ts`,
    changes: [["const INSIDE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;", "const INSIDE = RESOLVE_IN_ROOT;"]],
    kill: golden("create-default"),
  },
  {
    name: "in-root",
    against: "CVE-2019-18837, 2021-30465, 2024-45310",
    what: "the kernel resolves every path inside the root",
    file: `${LINUX}/rootfs-path.ts`,
    changes: [["const INSIDE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;", "const INSIDE = RESOLVE_NO_MAGICLINKS;"]],
    // Not on the real kernel: without it the runtime would work on the files of whoever runs this.
    kill: { test: `${LINUX}/rootfs-path.test.ts`, name: "RootfsPath.openTarget: stays inside for /absolute/x" },
  },
  {
    name: "strict-without-links",
    against: "CVE-2019-19921, 2023-27561, 2023-28642",
    what: "/proc and /sys are reached through no link",
    file: `${LINUX}/rootfs-path.ts`,
    changes: [
      [
        "return openScoped(this.#kernel, this.fd, rooted(path), flags, INSIDE | RESOLVE_NO_SYMLINKS);",
        "return openScoped(this.#kernel, this.fd, rooted(path), flags, INSIDE);",
      ],
    ],
    kill: { case: "/proc: a symlink in its place is refused" },
  },
  ...WALK_DEFENCES,
  {
    name: "proc-strict",
    against: "CVE-2019-19921",
    what: "a procfs goes onto /proc itself",
    file: `${LINUX}/mount-plan.ts`,
    changes: [
      [
        'strict: fstype === "proc" || fstype === "sysfs" || destination === "/proc",',
        'strict: fstype === "sysfs" || destination === "/proc" && fstype !== "proc",',
      ],
    ],
    kill: { case: "/proc: a symlink in its place is refused" },
  },
  {
    name: "proc-bind-strict",
    against: "CVE-2019-19921",
    what: "the host's /proc, bound, as well",
    file: `${LINUX}/mount-plan.ts`,
    changes: [
      [
        'strict: fstype === "proc" || fstype === "sysfs" || destination === "/proc",',
        'strict: fstype === "proc" || fstype === "sysfs",',
      ],
    ],
    kill: { case: "swap: /proc is a link and the configuration binds the host's there: refused" },
  },
  {
    name: "nothing-over-proc",
    against: "CVE-2019-16884",
    what: "nothing is mounted below /proc but on an allow-list of files",
    file: `${LINUX}/mount-plan.ts`,
    changes: [['destination.startsWith("/proc/") && !PROC_FILES.has(destination)', "false"]],
    kill: { case: "mounts: tmpfs on /proc/sys/kernel is refused" },
  },
  {
    name: "only-procfs-on-proc",
    against: "CVE-2019-16884",
    what: "nothing but a procfs is mounted on /proc",
    file: `${LINUX}/mount-plan.ts`,
    changes: [['if (fstype !== "proc" && !(fstype === "bind" && cleanPath(source) === "/proc")) {', "if (false) {"]],
    kill: { case: "mounts: tmpfs on /proc is refused" },
  },
  {
    name: "no-link-into-proc",
    against: "CVE-2019-16884, 2025-52881",
    what: "a destination that a link leads into procfs is refused",
    file: `${LINUX}/mount-tree.ts`,
    changes: [
      ["if (followedLink && !step.onProc && kernel.fs.fstatfs(fd).type === PROC_SUPER_MAGIC) {", "if (false) {"],
    ],
    kill: { case: "mounts: a destination through a symlink into /proc is refused" },
  },
  {
    name: "made-file-follows-nothing",
    against: "CVE-2024-45310, 2025-24965",
    what: "a file made for a mount is new, or nothing is made",
    file: `${LINUX}/rootfs-path.ts`,
    changes: [
      ["O_CREAT | O_EXCL | O_NOFOLLOW | O_RDONLY | O_CLOEXEC, 0o755);", "O_CREAT | O_RDONLY | O_CLOEXEC, 0o755);"],
    ],
    kill: {
      test: `${LINUX}/rootfs-path.test.ts`,
      name: "RootfsPath.openTarget: a file is made, with its parents, and never through a planted link",
    },
  },
  {
    name: "own-null-device",
    against: "CVE-2025-31133",
    what: "what masks is the null device, 1:3",
    file: `${LINUX}/masks.ts`,
    changes: [
      ["if ((stat.mode & S_IFMT) !== S_IFCHR || stat.rdevMajor !== 1 || stat.rdevMinor !== 3) {", "if (false) {"],
    ],
    kill: { test: `${LINUX}/masks.test.ts`, name: "openNull: denied when /dev/null is another device or a file" },
  },
  {
    name: "masks-verified",
    against: "CVE-2025-31133",
    what: "after masking, the name shows the mask",
    file: `${LINUX}/masks.ts`,
    changes: [["if (fs.fstat(found).mountId !== mountId) throw replaced(path);", ""]],
    kill: { test: `${LINUX}/masks.test.ts`, name: "maskPaths: denied when the name is exchanged meanwhile" },
  },
  {
    name: "masked",
    against: "runtime-spec, Masked Paths",
    what: "masked paths are covered",
    file: `${LINUX}/start-child.ts`,
    changes: [
      ['  maskPaths(later.kernel, root, plan.maskedPaths, nullFd, labelData(plan.linux.mountLabel ?? ""));', ""],
    ],
    kill: { case: "maskedPaths: a file reads as empty, a directory is empty" },
  },
  {
    name: "readonly-paths",
    against: "runtime-spec, Readonly Paths",
    what: "read-only paths are covered by a read-only copy",
    file: `${LINUX}/masks.ts`,
    changes: [["setReadonly(kernel, copy, AT_RECURSIVE);", ""]],
    kill: { case: "readonlyPaths: cannot be written" },
  },
  {
    name: "readonly-root",
    against: "runtime-spec, Root",
    what: "a read-only root is read-only",
    file: `${LINUX}/rootfs.ts`,
    changes: [["if (plan.readonlyRoot) setReadonly(kernel, root.fd, 0);", ""]],
    kill: { case: "root: read-only when asked for" },
  },
  {
    name: "old-root-detached",
    against: "escape through the old root",
    what: "the host's tree is taken out of the container's mount namespace",
    file: `${LINUX}/rootfs.ts`,
    changes: [['mount.umount2(".", MNT_DETACH);', ""]],
    kill: { case: "root: nothing of the host's tree is mounted inside" },
  },
  {
    name: "console-by-descriptor",
    against: "CVE-2025-52565",
    what: "the place of /dev/console is made and opened through no link",
    file: `${LINUX}/devices.ts`,
    changes: [
      [
        "return openScoped(kernel, parent, name, O_PATH | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);",
        "return fs.openat(parent, name, O_PATH | O_CLOEXEC, 0);",
      ],
    ],
    kill: { case: "terminal: a link in place of /dev/console is not followed" },
  },
  {
    name: "private-procfs",
    against: "CVE-2025-52881",
    what: "sysctls are written through a procfs that nobody else can reach",
    file: `${LINUX}/sysctl.ts`,
    changes: [
      [
        'const proc = newFilesystem(kernel, "proc", "proc", [], [], 0);',
        'const proc = fs.openat(-100, "/proc", 0, 0);',
      ],
      ["RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;", "RESOLVE_NO_SYMLINKS;"],
    ],
    kill: { case: "sysctl: /proc/sys as a whole hidden by a directory of somebody's" },
  },
  {
    name: "sysctl-namespaced",
    against: "settings of the host",
    what: "only settings of the container's own namespaces are written",
    file: `${LINUX}/sysctl.ts`,
    changes: [['return refuse("is not in a separate kernel namespace");', 'return "uts";']],
    kill: { case: "sysctl: error for one that is not namespaced" },
  },
  {
    name: "sysctl-not-hosts",
    against: "settings of the host",
    what: "a namespace that is joined by path must not be the host's own",
    file: `${LINUX}/start.ts`,
    changes: [["  refuseHostSysctl(kernel, plan.sysctl, joins);", ""]],
    kill: { case: "sysctl: refused when its namespace is joined and the host's own" },
  },
  {
    name: "dev-by-descriptor",
    against: "CVE-2026-41579, 2026-47766",
    what: "links of /dev are made below a descriptor inside the root",
    file: `${LINUX}/devices.ts`,
    changes: [
      [
        `export function makeDeviceLinks(kernel: Kernel, root: RootfsPath, kcore: boolean): void {
  const { fs } = kernel;
  const dev = root.openTarget("/dev", "directory").fd;`,
        `export function makeDeviceLinks(kernel: Kernel, root: RootfsPath, kcore: boolean): void {
  const { fs } = kernel;
  const dev = fs.openat(root.fd, "dev", O_PATH | O_CLOEXEC, 0);`,
      ],
    ],
    kill: { case: "/dev: a symlink to the host is not written through" },
  },
  {
    name: "copy-up-follows-nothing",
    against: "files of the host copied into a container",
    what: "tmpcopyup copies links as links",
    file: `${LINUX}/copy-up.ts`,
    changes: [
      ["  const stat = fs.statAt(from, name, AT_SYMLINK_NOFOLLOW);", "  const stat = fs.statAt(from, name, 0);"],
      ["O_RDONLY | O_NOFOLLOW | O_NONBLOCK", "O_RDONLY | O_NONBLOCK"],
    ],
    kill: { case: "tmpcopyup: what the image has there is copied without leaving it, and a FIFO is no trap" },
  },
  {
    name: "uid-checked",
    against: "CVE-2026-30892",
    what: "the id that changes nothing is refused",
    file: `${LINUX}/process-plan.ts`,
    changes: [["if (!Number.isInteger(id) || id < 0 || id >= NO_ID)", "if (false)"]],
    kill: { case: "user: uid 4294967295 in config.json is refused" },
  },
  {
    name: "user-flag-numbers",
    against: "CVE-2016-3697, 2026-30892",
    what: "--user takes one or two decimal numbers, the whole text",
    file: `${COMMANDS}/user-flag.ts`,
    changes: [["/^(\\d{1,10})(?::(\\d{1,10}))?$/", "/^(\\d{1,10})(?::(\\d{1,10}))?/"]],
    kill: { case: "exec --user 1x: refused" },
  },
  {
    name: "home-by-number",
    against: "CVE-2016-3697",
    what: "/etc/passwd is searched by number, never by name",
    file: `${LINUX}/program.ts`,
    changes: [
      ["if (fields[2] === String(uid) && ", "if ((fields[0] === String(uid) || fields[2] === String(uid)) && "],
    ],
    kill: {
      test: `${LINUX}/program.test.ts`,
      name: "environmentWithHome: by number from /etc/passwd; given ones stay",
    },
  },
  {
    name: "passwd-is-a-file",
    against: "devices and FIFOs that an image puts in place of files",
    what: "what is no file is not opened with all privileges",
    file: `${LINUX}/program.ts`,
    changes: [["if ((kernel.fs.statAt(AT_FDCWD, PASSWD, 0).mode & S_IFMT) !== S_IFREG)", "if (false)"]],
    kill: {
      test: `${LINUX}/program.test.ts`,
      name: "environmentWithHome: a device or FIFO in place of /etc/passwd is not opened",
    },
  },
  {
    name: "exec-not-inheritable",
    against: "CVE-2022-29162, 2022-27650",
    what: "exec --cap makes nothing inheritable",
    file: `${COMMANDS}/exec.ts`,
    changes: [["            inheritable: [],", '            inheritable: ["CAP_CHOWN"],']],
    kill: { case: "exec --cap: no inheritable capabilities" },
  },
  {
    name: "bounding-set",
    against: "capabilities that come back at execve",
    what: "the bounding set is cut down",
    file: `${LINUX}/become.ts`,
    changes: [["  applyBounding(kernel, plan.capabilities);", ""]],
    kill: { case: "capabilities: exactly the sets given" },
  },
  {
    name: "no-new-privileges",
    against: "set-user-ID programs",
    what: "no_new_privs is set when asked for",
    file: `${LINUX}/become.ts`,
    changes: [["  if (plan.noNewPrivileges) process.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);", ""]],
    kill: { case: "noNewPrivileges: set" },
  },
  {
    name: "seccomp-late",
    against: "system calls that the profile forbids",
    what: "the filter is on with no_new_privs",
    file: `${LINUX}/become.ts`,
    changes: [
      ["  if (seccomp !== null && plan.noNewPrivileges && !notifies(seccomp)) applySeccomp(kernel, seccomp);", ""],
    ],
    kill: { case: "seccomp: filter is on with no_new_privs, for exec too" },
  },
  {
    name: "seccomp-early",
    against: "system calls that the profile forbids",
    what: "the filter is on without no_new_privs",
    file: `${LINUX}/become.ts`,
    changes: [["  applySeccomp(kernel, seccomp);\n}", "}"]],
    kill: { case: "seccomp: filter is on without no_new_privs, for exec too" },
  },
  {
    name: "cgroups-readonly",
    against: "CVE-2023-25809, 2022-0492",
    what: "the hierarchies are read-only when asked for",
    file: `${LINUX}/cgroup/mount.ts`,
    changes: [
      [
        "const attributes = step.options.attributes.set | directory.attributes;",
        "const attributes = (step.options.attributes.set & ~MOUNT_ATTR_RDONLY) | directory.attributes;",
      ],
    ],
    kill: { case: "cgroups: read-only inside without a user and without a cgroup namespace" },
  },
  {
    name: "cgroup-directory-readonly",
    against: "CVE-2023-25809",
    what: "and so is the directory that holds them",
    file: `${LINUX}/cgroup/mount.ts`,
    changes: [["if ((step.options.attributes.set & MOUNT_ATTR_RDONLY) !== 0) setReadonly(kernel, tmpfs, 0);", ""]],
    kill: { case: "cgroups: read-only inside without a user and with a cgroup namespace" },
  },
  {
    name: "devices-denied",
    against: "disks of the host",
    what: "every device is denied before some are allowed",
    file: `${LINUX}/cgroup/device-rules.ts`,
    changes: [["isBlanket(first) ? [] : [denyAll];", "isBlanket(first) ? [] : [];"]],
    kill: {
      test: `${LINUX}/cgroup/plan.test.ts`,
      name: "deviceRules: denied first, defaults last; a last allow-all stands alone",
    },
  },
  {
    name: "ids-are-names",
    against: "files outside of the state directory",
    what: "a container's id is one name",
    file: "packages/runtime/src/container/record.ts",
    changes: [
      [
        'if (id === "" || id.length > 1024 || id === "." || id === ".." || id === ".cache" || !hasOnly(id, ID_CHARACTERS)) {',
        "if (false) {",
      ],
    ],
    kill: { case: 'records: the id "../escape" is refused' },
  },
  {
    name: "record-not-a-link",
    against: "directories that somebody put links to",
    what: "a link in place of a container's directory is not opened",
    file: "packages/runtime/src/container/record.ts",
    changes: [
      [
        "const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;",
        "const flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;",
      ],
    ],
    kill: {
      test: `${COMMANDS}/create.test.ts`,
      name: "create: denied when a link has the name of the container's directory",
    },
  },
  {
    name: "records-private",
    against: "other users of the host",
    what: "records can be read by their owner only",
    file: "packages/runtime/src/container/record.ts",
    changes: [
      [
        "this.#kernel.fs.replaceFileAt(this.fd, CONFIG, text, 0o600, false);",
        "this.#kernel.fs.replaceFileAt(this.fd, CONFIG, text, 0o644, false);",
      ],
    ],
    kill: { case: "records: nobody but their owner can read or change them" },
  },
  {
    name: "pid-with-start-time",
    against: "a pid that was given to another process",
    what: "a process is the recorded one only with the recorded start time",
    file: "packages/runtime/src/container/status.ts",
    changes: [["stat.startTime !== startTime || ", ""]],
    kill: { case: "records: a pid that is somebody else's by now is neither signalled nor entered" },
  },
  {
    name: "namespaces-of-init",
    against: "a pid that is given to another process meanwhile",
    what: "exec looks at namespaces before it checks that they are init's",
    file: `${LINUX}/kill-container.ts`,
    changes: [
      [
        `    look();
    if (isAlive(kernel, record)) return pidfd;`,
        `    const alive = isAlive(kernel, record);
    look();
    if (alive) return pidfd;`,
      ],
    ],
    kill: {
      test: `${COMMANDS}/exec.test.ts`,
      name: "exec: conflict when init's pid becomes a host process's while its namespaces are looked at",
    },
  },
  {
    name: "names-of-every-object",
    against: "configurations that crash the runtime",
    what: 'a document\'s "constructor" finds nothing',
    file: "packages/runtime/src/table.ts",
    changes: [
      [
        "Object.assign(Object.create(null) as Record<string, T>, entries)",
        "Object.assign({} as Record<string, T>, entries)",
      ],
    ],
    kill: { test: "packages/runtime/src/hostile.test.ts", name: "parseMountOptions: any list of words" },
  },
  {
    name: "json-depth",
    against: "configurations that exhaust the stack",
    what: "documents are read to a depth of 64",
    file: "packages/specs/src/json.ts",
    changes: [["  if (depthLeft === 0) return Number.NaN;", ""]],
    kill: { test: "packages/specs/src/json.test.ts", name: "parseJson: invalid when nested deeper than the limit" },
  },
  {
    name: "documents-are-files",
    against: "FIFOs and devices as documents",
    what: "what is no regular file is refused",
    file: "packages/runtime/src/cli/given-file.ts",
    changes: [['if (text === "") refuseOddFile(kernel, path);', ""]],
    kill: {
      test: "packages/runtime/src/cli/given-file.test.ts",
      name: "readGivenFile: a FIFO in the place of config.json is refused",
    },
  },
  ...IMAGE_DEFENCES,
  ...CLIENT_DEFENCES,
  ...SIGNING_DEFENCES,
  ...GPG_DEFENCES,
];
