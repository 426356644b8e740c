// Network settings under /proc/sys/net: written only when they differ, so that a read-only /proc/sys with the right value is fine.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_FDCWD } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";

/**
 * Sets net/NAME to `value` in the namespace that the process is in.
 * @throws TeuError `denied` with what to do.
 */
export function setSysctl(kernel: Kernel, name: string, value: string): void {
  const path = `/proc/sys/net/${name}`;
  if (kernel.fs.readTextAt(AT_FDCWD, path, 256).trim() === value) return;
  try {
    kernel.fs.writeTextAt(AT_FDCWD, path, value);
  } catch (error) {
    if (!isSysError(error)) throw error;
    const hint = `set it to ${value} before, or use --network none or host`;
    throw new TeuError({ code: "denied", op: "set sysctl", subject: path, message: error.errno, hint });
  }
}

/** Sets it where it exists and can be set. */
export function trySysctl(kernel: Kernel, name: string, value: string): void {
  try {
    setSysctl(kernel, name, value);
  } catch (error) {
    // No IPv6 in this kernel, say: then what it would turn off is off.
    if (!isSysError(error) && !(error instanceof TeuError)) throw error;
  }
}
