// CRIU says why it failed in its log only. Reads the lines that matter and says what is missing: a flag, a capability, a kernel option,
// a newer CRIU.
// portable: no host types here.

import type { ErrorCode } from "@teu/base/errors";
import { CAPABILITIES } from "@teu/specs/capabilities";
import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";

const TAIL = 256 << 10;
const QUOTED = 3;

/** What a failure comes from, as far as the log tells. */
export interface Diagnosis {
  readonly code: ErrorCode;
  /** What to do. */
  readonly hint: string;
}

/** CRIU's words, and what they mean to the user. The first that matches counts. */
const KNOWN: readonly (readonly [RegExp, ErrorCode, string])[] = [
  [/vdso/i, "unsupported", "this CRIU does not know this kernel's vDSO: Linux 6.13 and later need CRIU 4.1"],
  [
    /dirty track|soft.?dirty|mem_track|track mem/i,
    "unsupported",
    "this kernel cannot track written pages: CONFIG_MEM_SOFT_DIRTY is missing",
  ],
  [/userfaultfd/i, "unsupported", "restoring pages lazily needs userfaultfd (CONFIG_USERFAULTFD)"],
  [/uffd: .*(Broken pipe|refused|connect)/i, "unavailable", "is `criu lazy-pages` running, with this work directory?"],
  [
    /connected TCP socket|established TCP|tcp-established/i,
    "conflict",
    "there are TCP connections: give --tcp-established",
  ],
  [/in-flight (TCP )?connection/i, "conflict", "a TCP connection is being made: give --tcp-skip-in-flight"],
  [/file.?locks?\b/i, "conflict", "there are file locks: give --file-locks"],
  [
    /ext-unix-sk|external (unix )?socket|external stream/i,
    "conflict",
    "a Unix socket leads outside: give --ext-unix-sk",
  ],
  [
    /shell.?job|Can't lookup mount=.* path=\/dev\/(pts\/|tty)|dangling tty|leader of.*outside|tty.*(hangup|lead|slave)/i,
    "conflict",
    "it belongs to a terminal outside: give --shell-job",
  ],
  [/link.?remap/i, "conflict", "an open file has been removed: give --link-remap"],
  [
    /Unable to open \S+\.img: Permission denied/,
    "denied",
    "in a user namespace CRIU reads the images as the container's root, which must be allowed to",
  ],
  [/has bad (mode|size)/, "conflict", "a file is not what it was at the checkpoint"],
  [/CAP_CHECKPOINT_RESTORE/, "denied", "CRIU needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE"],
];

/** Said whenever CRIU may not raise its own limit of open files; it goes on. */
const HARMLESS = /RLIMIT_NOFILE for self/;
/** Raising limits and lowering scores, moving the parts of a process's memory map. */
const RESOURCE = /rlimit|oom_score|PR_SET_MM|prctl.*\bmm\b|fd limit/i;
const REFUSED = /Operation not permitted|Permission denied|\(errno (1|13)\)|\b(EPERM|EACCES)\b/;
/** What CRIU uses, beside being root. */
const NEEDED = [
  "CAP_SYS_ADMIN",
  "CAP_SYS_PTRACE",
  "CAP_SYS_RESOURCE",
  "CAP_NET_ADMIN",
  "CAP_SYS_CHROOT",
  "CAP_SETUID",
  "CAP_SETGID",
];

/** The first error lines of a log, without their times; none when there is no log. */
export function readErrors(kernel: Kernel, directory: number, name: string): string[] {
  const { fs } = kernel;
  let fd: number;
  try {
    fd = fs.openat(directory, name, O_RDONLY | O_CLOEXEC, 0);
  } catch (error) {
    if (isSysError(error, "ENOENT")) return [];
    throw error;
  }
  try {
    const size = fs.fstat(fd).size;
    return errorLines(kernel.host.utf8Decode(fs.pread(fd, TAIL, Math.max(0, size - TAIL))));
  } finally {
    fs.close(fd);
  }
}

/** Those among the lines of a log that tell of errors: "(00.012) Error (criu/x.c:1): text". */
export function errorLines(log: string): string[] {
  const lines = log.split("\n").flatMap((line) => /\b(Error \([^)]*\): .*)$/.exec(line)?.[1] ?? []);
  return [...new Set(lines.filter((line) => !HARMLESS.test(line)))].slice(0, QUOTED);
}

/** What the lines mean, and what of this process's capabilities is missing for it. `held`: numbers of the effective ones. */
export function diagnose(lines: readonly string[], held: readonly number[]): Diagnosis | null {
  for (const [pattern, code, hint] of KNOWN) if (lines.some((line) => pattern.test(line))) return { code, hint };
  const refused = lines.filter((line) => REFUSED.test(line));
  if (refused.length === 0) return null;
  const wanted = refused.some((line) => RESOURCE.test(line)) ? ["CAP_SYS_RESOURCE"] : NEEDED;
  const missing = wanted.filter((name) => !held.includes(CAPABILITIES.indexOf(name)));
  if (missing.length > 0) return { code: "denied", hint: `this process lacks ${missing.join(", ")}` };
  return { code: "denied", hint: "the kernel refuses, although no capability that CRIU needs is missing" };
}

/** Quotes lines. The kernel's texts become its names: callers look for them in our errors and would take them for something else. */
export function quote(lines: readonly string[]): string {
  return lines
    .map((line) =>
      line
        .replace(/No such file or directory/gi, "ENOENT")
        .replace(/Operation not permitted/gi, "EPERM")
        .replace(/Permission denied/gi, "EACCES"),
    )
    .map((line) => JSON.stringify(line))
    .join(", ");
}

/** The capabilities that this process has. */
export function heldCapabilities(kernel: Kernel): readonly number[] {
  return kernel.capability.capget(0).effective;
}

/** A directory as a path, for messages. */
export function pathOfFd(kernel: Kernel, fd: number): string {
  return kernel.fs.readlinkAt(AT_FDCWD, `/proc/self/fd/${fd}`);
}
