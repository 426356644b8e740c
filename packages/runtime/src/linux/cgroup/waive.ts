// When a container may do without a cgroup that the kernel does not let us make (runc's rules for `--rootless`): only when nobody
// named the cgroup and no limit depends on it. A limit that was asked for and cannot be set is an error, never dropped.
// Nothing here is called before the kernel has refused something, so an ordinary start pays nothing for it.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_FDCWD } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import { verbatim } from "../../failure.ts";
import type { CgroupDirectory } from "./plan.ts";

/** What decides about a cgroup that was refused. */
export interface Waiver {
  /** `--rootless`; null: auto. */
  readonly rootless: boolean | null;
  /** config.json names the cgroup. */
  readonly named: boolean;
  /** Not when the container has a user namespace of its own, in which no device can be made, and config.json lists none. */
  readonly devicesMatter: boolean;
}

/** The first line of /proc/self/uid_map outside of any user namespace. */
const INITIAL_MAP = /^\s*0\s+0\s+4294967295\s*$/;

/** Is this process in a user namespace that is not the host's? Without /proc/self/uid_map: no. */
export function inUserNamespace(kernel: Kernel): boolean {
  try {
    return !INITIAL_MAP.test(kernel.fs.readTextAt(AT_FDCWD, "/proc/self/uid_map", 1 << 16));
  } catch (error) {
    if (isSysError(error, "ENOENT")) return false;
    throw error;
  }
}

/** Are cgroups out of our power by what we are? `auto`: for users other than root, and for the root of a user namespace. */
export function isRootless(kernel: Kernel, rootless: boolean | null): boolean {
  return rootless ?? (kernel.process.geteuid() !== 0 || inUserNamespace(kernel));
}

/** Did the kernel refuse for lack of rights? */
export function isRefusal(error: unknown): boolean {
  return isSysError(error, "EACCES") || isSysError(error, "EPERM") || isSysError(error, "EROFS");
}

/**
 * Decides on a directory that could not be made or joined. Returns when the container can do without it; throws what to tell
 * otherwise: the error itself when it is none of rights, else `denied` with runc's texts.
 */
export function waiveDirectory(kernel: Kernel, directory: CgroupDirectory, waiver: Waiver, error: unknown): void {
  if (!isRefusal(error)) throw error;
  if (waiver.named || !isRootless(kernel, waiver.rootless)) {
    throw new TeuError({
      code: "denied",
      op: "make cgroup",
      subject: directory.path,
      message: "unable to apply cgroup configuration: permission denied",
      hint: waiver.named
        ? "Without linux.cgroupsPath the container would do without a cgroup; or have the parent cgroup delegated to you."
        : "Use --rootless=true to do without a cgroup.",
      cause: error,
    });
  }
  const limit = directory.writes.find(({ controller }) => controller !== "devices");
  if (limit === undefined) return;
  if (directory.controllers === "") {
    throw verbatim(
      "denied",
      "rootless needs no limits + no cgrouppath when no permission is granted for cgroups",
      error,
    );
  }
  throw verbatim("denied", `cannot set ${limit.controller} limit: container could not join or create cgroup`, error);
}

/** Device lists need rights that no user namespace gives: without them the container simply has no devices to make. */
export function waiveDevices(kernel: Kernel, waiver: Waiver, error: unknown): void {
  const cause = error instanceof TeuError ? error.cause : error;
  if (!isRefusal(cause) || (waiver.devicesMatter && !isRootless(kernel, waiver.rootless))) throw error;
}
