// User namespaces that nobody lives in: made to carry the id maps of idmapped mounts, mount_setattr(2) MOUNT_ATTR_IDMAP.
// portable: no host types here.

import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from "@teu/sys/constants/fs";
import { CLONE_NEWUSER, SIGKILL } from "@teu/sys/constants/process";
import type { Kernel } from "@teu/sys/kernel";
import { TeuError } from "@teu/base/errors";
import type { IdMaps } from "./idmap-plan.ts";
import { writeIdMaps } from "./id-maps.ts";

/** A user namespace with these maps. The process that it takes to make one is gone when this returns. Caller closes. */
export function makeUserNamespace(kernel: Kernel, maps: IdMaps): number {
  const { fs, process } = kernel;
  const [wait, go] = fs.pipe2(O_CLOEXEC);
  const { pid, pidfd } = process.clone3({ flags: CLONE_NEWUSER });
  if (pid === 0) {
    // Its read ends also when the parent is killed.
    fs.close(go);
    fs.read(wait, 1);
    process.exit(0);
  }
  try {
    writeIdMaps(kernel, pid, maps);
    return openUserNamespace(kernel, `/proc/${pid}/ns/user`);
  } finally {
    process.pidfdSendSignal(pidfd, SIGKILL);
    process.waitpid(pid, 0);
    for (const fd of [wait, go, pidfd]) fs.close(fd);
  }
}

/** Opens one by its file. Caller closes. */
export function openUserNamespace(kernel: Kernel, path: string): number {
  try {
    return kernel.fs.openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
  } catch (error) {
    throw new TeuError({
      code: "not-found",
      op: "open user namespace",
      subject: path,
      message: "cannot be opened",
      cause: error,
    });
  }
}
