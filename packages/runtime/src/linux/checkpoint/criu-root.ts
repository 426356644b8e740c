// Starts the CRIU that restores: in a mount namespace of its own, where the rootfs is a mount as CRIU wants it, and in the container's
// cgroup. The host's mount table is never touched, and the namespace ends with CRIU, also when the runtime is killed meanwhile.
// portable: no host types here.

import { TeuError, fromJson } from "@teu/base/errors";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  CLOSE_RANGE_ALL,
  CLOSE_RANGE_CLOEXEC,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  O_RDONLY,
} from "@teu/sys/constants/fs";
import { MS_SLAVE, OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE } from "@teu/sys/constants/mount";
import { SOCK_SEQPACKET } from "@teu/sys/constants/socket";
import { CLONE_NEWNS } from "@teu/sys/constants/process";
import type { Kernel } from "@teu/sys/kernel";
import { type CgroupHandle, cgroupRecord, joinCgroup } from "../cgroup/manager.ts";
import { attach } from "../mount-tree.ts";
import { reportError } from "../twin.ts";
import { CRIU_SOCKET_FD, type Launch } from "./criu.ts";

const MESSAGE_LIMIT = 64 << 10;
/** Above all that the new process is to have. */
const HIGH = 64;

/** Where CRIU finds the root, and what it gets besides. */
export interface CriuRoot {
  readonly rootfs: string;
  /** An empty directory over which the rootfs is mounted, for CRIU's eyes only. */
  readonly place: string;
  readonly cgroup: CgroupHandle;
  /** The directories of images and work: opened in CRIU's namespace, since it mounts on directories in the latter. */
  readonly imagePath: string;
  readonly workPath: string;
  /** 0, 1 and 2 of CRIU are ours, which the restored processes may inherit, and these from `CRIU_OTHER_FDS` up. */
  readonly fds: readonly number[];
}

/** CRIU's own fds. */
export const CRIU_IMAGES_FD: number = CRIU_SOCKET_FD + 1;
export const CRIU_WORK_FD: number = CRIU_SOCKET_FD + 2;
export const CRIU_OTHER_FDS: number = CRIU_SOCKET_FD + 3;

/** Makes the launcher. It returns when the program is CRIU, and throws what failed before. */
export function inOwnRoot(kernel: Kernel, root: CriuRoot): Launch {
  const { fs, process, socket: sockets } = kernel;
  return (path, argv, env) => {
    const [mine, theirs] = sockets.socketpair(SOCK_SEQPACKET);
    const { unifiedFd } = root.cgroup;
    const { pid, pidfd } = process.clone3({ flags: CLONE_NEWNS, ...(unifiedFd < 0 ? {} : { cgroupFd: unifiedFd }) });
    if (pid === 0) {
      try {
        joinCgroup(kernel, cgroupRecord(root.cgroup.plan));
        mountRoot(kernel, root);
        const [ours, crius] = sockets.socketpair(SOCK_SEQPACKET);
        sockets.sendMessage(theirs, kernel.host.utf8Encode("socket"), [ours]);
        const open = (name: string): number => fs.openat(AT_FDCWD, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
        arrange(kernel, [crius, open(root.imagePath), open(root.workPath), ...root.fds]);
        process.execveat(AT_FDCWD, path, argv, env, 0);
      } catch (error) {
        reportError(kernel, theirs, error);
      }
      process.exit(1);
    }
    fs.close(pidfd);
    fs.close(theirs);
    try {
      return { pid, socket: receiveSocket(kernel, mine) };
    } catch (error) {
      process.waitpid(pid, 0);
      throw error;
    } finally {
      fs.close(mine);
    }
  };
}

/** The first message brings the socket; then comes the end, with execve, or an error. */
function receiveSocket(kernel: Kernel, channel: number): number {
  let socket = -1;
  for (;;) {
    const { data, fds } = kernel.socket.receiveMessage(channel, MESSAGE_LIMIT);
    if (data.length === 0 && socket >= 0) return socket;
    const [received] = fds;
    if (received !== undefined) {
      socket = received;
      continue;
    }
    if (socket >= 0) kernel.fs.close(socket);
    if (data.length > 0)
      throw fromJson((JSON.parse(kernel.host.utf8Decode(data)) as { readonly error: unknown }).error);
    throw new TeuError({ code: "internal", op: "start CRIU", message: "its process ended before it began" });
  }
}

/** A slave of the host's mounts: what is mounted here stays here, and what comes later on the host still reaches the binds. */
function mountRoot(kernel: Kernel, { rootfs, place }: CriuRoot): void {
  const { fs, mount } = kernel;
  mount.mountSetattr(AT_FDCWD, "/", AT_RECURSIVE, { set: 0, clear: 0, propagation: MS_SLAVE, usernsFd: -1 });
  const from = fs.openat(AT_FDCWD, rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  const target = fs.openat(AT_FDCWD, place, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  const tree = mount.openTree(from, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
  attach(kernel, tree, target);
}

/** Puts the fds in their places; all others end with execve. */
function arrange(kernel: Kernel, fds: readonly number[]): void {
  const { fs } = kernel;
  // First out of the way: a place may still be taken by one that has to go elsewhere.
  const lifted = fds.map((fd) => fs.dup(fd, HIGH));
  fs.closeRange(CRIU_SOCKET_FD, CLOSE_RANGE_ALL, CLOSE_RANGE_CLOEXEC);
  for (const [index, fd] of lifted.entries()) fs.dup3(fd, CRIU_SOCKET_FD + index, false);
}
