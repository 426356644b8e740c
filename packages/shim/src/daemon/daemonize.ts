// Becoming a daemon: a child in a session of its own, stdio on /dev/null, nothing inherited but the report's descriptor.
// portable: no host types here.

import type { Kernel } from "@teu/sys/kernel";
import { AT_FDCWD, CLOSE_RANGE_ALL, O_CLOEXEC, O_RDWR } from "@teu/sys/constants/fs";

/** Descriptor of the report, as protocol.ts says. */
export const REPORT_FD = 3;

/**
 * Leaves the caller's session: the calling process exits with 0, its child returns from here. One fork is enough: the shim
 * opens every terminal with O_NOCTTY, so that being a session leader never earns it a controlling one.
 */
export function daemonize(kernel: Kernel): void {
  const { process, fs } = kernel;
  const child = process.clone3({ flags: 0 });
  if (child.pid !== 0) process.exit(0);
  process.setsid();
  // The directory that the starter stood in must stay unmountable and removable.
  process.chdir("/");
  process.umask(0o022);
  const none = fs.openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
  for (const fd of [0, 1, 2]) fs.dup3(none, fd, false);
  fs.close(none);
  fs.closeRange(REPORT_FD + 1, CLOSE_RANGE_ALL, 0);
  setReportCloexec(kernel);
}

// Nobody reads a report: started by hand. Then there is no descriptor, and nothing may take its number unnoticed.
function setReportCloexec(kernel: Kernel): void {
  const { fs } = kernel;
  try {
    fs.setCloexec(REPORT_FD, true);
  } catch {
    const none = fs.openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
    if (none !== REPORT_FD) {
      fs.dup3(none, REPORT_FD, true);
      fs.close(none);
    }
  }
}
