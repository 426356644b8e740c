// --pidfd-socket: hands a pidfd of the new process to whoever listens (runc; crun's annotation run.oci.pidfd_receiver).
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AF_UNIX, SOCK_DGRAM, SOCK_STREAM } from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";

/** Connects to the socket at `path`, stream (runc's) or datagram (crun's); -1 for "". */
export function connectPidfdSocket(kernel: Kernel, path: string): number {
  if (path === "") return -1;
  let failure: unknown;
  for (const kind of [SOCK_STREAM, SOCK_DGRAM]) {
    const fd = kernel.socket.socket(AF_UNIX, kind, 0);
    try {
      kernel.socket.connectUnix(fd, path);
      return fd;
    } catch (error) {
      kernel.fs.close(fd);
      failure = error;
      if (!isSysError(error, "EPROTOTYPE")) break;
    }
  }
  throw new TeuError({
    code: "invalid",
    op: "connect to pidfd socket",
    subject: path,
    message: "refused",
    cause: failure,
  });
}

/** Sends it (one message, one fd; the payload says what runc's says: "standard" for init, "setns" for exec), and closes the socket. */
export function sendPidfd(kernel: Kernel, socket: number, pidfd: number, kind: "standard" | "setns"): void {
  kernel.socket.sendMessage(socket, kernel.host.utf8Encode(kind), [pidfd]);
  kernel.fs.close(socket);
}
