// For tests: a kernel that has no openat2(2), or a filter around us that does not know it.
// portable: no host types here.

import type { Kernel } from "@teu/sys/kernel";
import { sysError } from "@teu/sys/sys-error";

/** The same kernel, whose openat2 fails. */
export function withoutOpenat2(kernel: Kernel, errno: "ENOSYS" | "EPERM"): Kernel {
  const { fs } = kernel;
  const refuse = (path: string): never => {
    throw sysError(errno, "openat2", path);
  };
  const openat2: Kernel["fs"]["openat2"] = (_, path) => refuse(path);
  // Without rules it is openat.
  const openIfThere: Kernel["fs"]["openIfThere"] = (dirfd, path, flags, mode, resolve) =>
    resolve === 0 ? fs.openIfThere(dirfd, path, flags, mode, 0) : refuse(path);
  return { ...kernel, fs: { ...fs, openat2, openIfThere } };
}
