// SELinux labels and AppArmor profiles of a process (runtime-spec, "POSIX process"): written to its own attributes in /proc just
// before it becomes the program. The host's procfs is opened before anything of the container is entered and checked to be one, so
// that nothing mounted over /proc turns the write elsewhere (CVE-2019-19921, 2025-52881).
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import {
  AT_FDCWD,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  O_WRONLY,
  PROC_ROOT_INO,
  PROC_SUPER_MAGIC,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_XDEV,
  SELINUX_MAGIC,
} from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import { unsupportedConfig } from "../failure.ts";
import type { ProcessPlan } from "./process-plan.ts";
import { openScopedIfThere } from "./scoped-open.ts";

/** An attribute of this process, open for writing, and what is to be written. */
export interface LabelWrite {
  readonly fd: number;
  readonly file: string;
  readonly text: string;
}

const LIMIT = 64;

/**
 * The host's procfs, O_PATH, when `plan` (or `mountLabel`) has a label; -1 when none. Throws `unsupported` when this host's kernel does not
 * enforce that kind. Caller closes.
 */
export function openLabels(kernel: Kernel, plan: ProcessPlan, mountLabel: string): number {
  const { apparmor, selinux } = plan;
  if (apparmor === "" && selinux === "" && mountLabel === "") return -1;
  if (apparmor !== "" && !hasAppArmor(kernel))
    throw unsupportedConfig("process.apparmorProfile", "AppArmor is not enabled on this host");
  if ((selinux !== "" || mountLabel !== "") && kernel.fs.filesystemType("/sys/fs/selinux") !== SELINUX_MAGIC)
    throw unsupportedConfig(
      selinux === "" ? "linux.mountLabel" : "process.selinuxLabel",
      "SELinux is not enabled on this host",
    );
  const { fs } = kernel;
  const proc = fs.openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  if (fs.fstatfs(proc).type !== PROC_SUPER_MAGIC || fs.fstat(proc).ino !== PROC_ROOT_INO) {
    fs.close(proc);
    throw new TeuError({ code: "denied", op: "set label", subject: "/proc", message: "is not the root of a procfs" });
  }
  return proc;
}

function hasAppArmor(kernel: Kernel): boolean {
  try {
    return kernel.fs.readTextAt(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", LIMIT).startsWith("Y");
  } catch (error) {
    if (isSysError(error, "ENOENT")) return false;
    throw error;
  }
}

/** In the process itself, while it may: opens its attributes. */
export function openAttributes(kernel: Kernel, proc: number, plan: ProcessPlan): LabelWrite[] {
  const out: LabelWrite[] = [];
  if (proc < 0) return out;
  if (plan.selinux !== "") out.push(attribute(kernel, proc, ["attr/exec"], plan.selinux));
  // The second is what kernels before 5.8 have, and is shared with SELinux there.
  if (plan.apparmor !== "")
    out.push(attribute(kernel, proc, ["attr/apparmor/exec", "attr/exec"], `exec ${plan.apparmor}`));
  return out;
}

function attribute(kernel: Kernel, proc: number, files: readonly string[], text: string): LabelWrite {
  const resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS;
  for (const file of files) {
    const fd = openScopedIfThere(kernel, proc, `self/${file}`, O_WRONLY, resolve);
    if (fd >= 0) return { fd, file: `/proc/self/${file}`, text };
  }
  throw new TeuError({
    code: "unsupported",
    op: "set label",
    subject: text,
    message: "this kernel has no such attribute",
  });
}

/** What is executed next runs under them. */
export function applyLabels(kernel: Kernel, writes: readonly LabelWrite[]): void {
  for (const { fd, file, text } of writes) {
    try {
      kernel.fs.write(fd, text);
    } catch (error) {
      throw new TeuError({
        code: "denied",
        op: "set label",
        subject: text,
        message: `write to ${file}: the kernel refuses it; is the profile loaded, or the label one of the policy's?`,
        cause: error,
      });
    }
  }
}
