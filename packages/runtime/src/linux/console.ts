// The container's terminal: opened in its own devpts, checked, bound on /dev/console, its master sent over the console socket.
// The other side comes from TIOCGPTPEER, never from the path /dev/pts/N (CVE-2025-52565).
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { DEVPTS_SUPER_MAGIC, O_NOCTTY, O_RDWR } from "@teu/sys/constants/fs";
import { AF_UNIX, SOCK_STREAM } from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";
import type { Process } from "@teu/specs/runtime";
import type { RootfsPath } from "./rootfs-path.ts";

/** Both sides of a new terminal; the caller owns the fds. `name` as the container sees it. */
export interface Console {
  readonly master: number;
  readonly peer: number;
  readonly name: string;
}

/** Connects to the socket that receives the master. Before entering anything. Caller closes. */
export function connectConsoleSocket(kernel: Kernel, path: string): number {
  const fd = kernel.socket.socket(AF_UNIX, SOCK_STREAM, 0);
  try {
    kernel.socket.connectUnix(fd, path);
    return fd;
  } catch (error) {
    kernel.fs.close(fd);
    throw new TeuError({
      code: "invalid",
      op: "connect to console socket",
      subject: path,
      message: "refused",
      cause: error,
    });
  }
}

/** A terminal of the devpts that is mounted in the container. */
export function openConsole(kernel: Kernel, root: RootfsPath, size: Process["consoleSize"]): Console {
  const { fs, terminal } = kernel;
  const master = root.openStrict("/dev/pts/ptmx", O_RDWR | O_NOCTTY);
  const stat = fs.fstat(master);
  if (fs.fstatfs(master).type !== DEVPTS_SUPER_MAGIC || stat.rdevMajor !== 5 || stat.rdevMinor !== 2) {
    fs.close(master);
    throw new TeuError({
      code: "denied",
      op: "open terminal",
      subject: "/dev/pts/ptmx",
      message: "is not the multiplexer of a devpts",
    });
  }
  const index = terminal.unlock(master);
  const peer = terminal.peer(master, O_RDWR | O_NOCTTY);
  if (size !== undefined && (size.height > 0 || size.width > 0)) terminal.setSize(peer, size.height, size.width);
  return { master, peer, name: `/dev/pts/${index}` };
}

/** Sends the master (one message, one fd, payload its name) as callers expect it. */
export function sendConsole(kernel: Kernel, socket: number, console: Console): void {
  kernel.socket.sendMessage(socket, kernel.host.utf8Encode(console.name), [console.master]);
}

/** Makes the terminal stdin, stdout, stderr and the controlling terminal of this session leader. */
export function adoptConsole(kernel: Kernel, console: Console): void {
  kernel.terminal.setControlling(console.peer);
  for (const fd of [0, 1, 2]) kernel.fs.dup3(console.peer, fd, false);
}
