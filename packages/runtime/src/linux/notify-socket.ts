// NOTIFY_SOCKET (sd_notify(3)): systemd waits for READY=1 of the service's processes, but cannot be reached from a container. The
// container gets a socket of its own at /run/notify/notify.sock; what it says of being ready is told to the host's, with MAINPID,
// the container's first process. As runc does.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { O_CLOEXEC, O_DIRECTORY, O_PATH } from "@teu/sys/constants/fs";
import { AF_UNIX, POLLIN, SOCK_DGRAM } from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { Spec } from "@teu/specs/runtime";
import type { StateDirectory } from "../container/record.ts";

/** In the state directory. */
const DIRECTORY = "notify";
const SOCKET = "notify.sock";
const INSIDE = "/run/notify";
const MOST_PATH = 107;
const MESSAGE_LIMIT = 4096;
/** How long systemd may take to read what it was sent; sd_notify_barrier(3) of runc waits as long. */
const BARRIER_MS = 30_000;
const PROBE_MS = 1000;

/** The spec with the socket's directory mounted and named. `state` is the container's state directory. */
export function withNotifySocket(spec: Spec, state: string): Spec {
  const process = spec.process ?? { cwd: "/" };
  return {
    ...spec,
    process: { ...process, env: [...(process.env ?? []), `NOTIFY_SOCKET=${INSIDE}/${SOCKET}`] },
    mounts: [
      ...(spec.mounts ?? []),
      {
        destination: INSIDE,
        type: "bind",
        source: `${state}/${DIRECTORY}`,
        options: ["bind", "nosuid", "noexec", "nodev", "ro"],
      },
    ],
  };
}

/** Makes the directory, and with `listen` the socket in it, -1 without. Caller closes. */
export function prepareNotify(kernel: Kernel, directory: StateDirectory, listen: boolean): number {
  kernel.fs.mkdirAt(directory.fd, DIRECTORY, 0o755);
  return listen ? listenNotify(kernel, directory) : -1;
}

/** The socket that the container finds; -1 when it was created without. Caller closes. */
export function listenNotify(kernel: Kernel, directory: StateDirectory): number {
  const { fs, socket } = kernel;
  let place: number;
  try {
    place = fs.openat(directory.fd, DIRECTORY, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  } catch (error) {
    if (isSysError(error, "ENOENT")) return -1;
    throw error;
  }
  const fd = socket.socket(AF_UNIX, SOCK_DGRAM, 0);
  try {
    const path = `${directory.path}/${DIRECTORY}/${SOCKET}`;
    // A unix socket's path has 107 bytes at most, and ids alone may be as long: then through the descriptor.
    socket.bindUnix(fd, path.length <= MOST_PATH ? path : `/proc/self/fd/${place}/${SOCKET}`);
    // Its user may be anybody inside.
    fs.chmodAt(place, SOCKET, 0o777, 0);
    return fd;
  } catch (error) {
    fs.close(fd);
    throw error;
  } finally {
    fs.close(place);
  }
}

/**
 * Waits until the container says that it is ready, tells `host` so and waits until that is read; or until the container ends.
 * Closes `fd`.
 */
export function relayUntilReady(kernel: Kernel, fd: number, host: string, pid: number, pidfd: number): void {
  try {
    for (;;) {
      // The end of the process is looked for at intervals: it is rare, and two waits at once need more machinery.
      if (kernel.poll.pollOne(fd, POLLIN, PROBE_MS)) {
        if (relayReady(kernel, fd, host, pid, true)) return;
      } else if (kernel.poll.pollOne(pidfd, POLLIN, 0)) return;
    }
  } finally {
    kernel.fs.close(fd);
  }
}

/** Takes one message. When it says READY, tells `host`; `wait`: returns only when that has been read. true: it was READY. */
export function relayReady(kernel: Kernel, fd: number, host: string, pid: number, wait: boolean): boolean {
  const { data } = kernel.socket.receiveMessage(fd, MESSAGE_LIMIT);
  const lines = kernel.host.utf8Decode(data).split("\n");
  const ready = lines.find((line) => line.startsWith("READY="));
  if (ready === undefined) return false;
  const client = kernel.socket.socket(AF_UNIX, SOCK_DGRAM, 0);
  try {
    kernel.socket.connectUnix(client, host);
    kernel.socket.send(client, kernel.host.utf8Encode(`${ready}\n`), 0);
    kernel.socket.send(client, kernel.host.utf8Encode(`MAINPID=${pid}\n`), 0);
    barrier(kernel, client, wait);
  } catch (error) {
    throw new TeuError({ code: "unavailable", op: "notify", subject: host, message: "refused", cause: error });
  } finally {
    kernel.fs.close(client);
  }
  return true;
}

/** systemd closes the pipe when it has come to this message: only then may the sender, by whose pid it knows the unit, end. */
function barrier(kernel: Kernel, client: number, wait: boolean): void {
  const { fs, socket } = kernel;
  const [read, write] = fs.pipe2(O_CLOEXEC);
  try {
    socket.sendMessage(client, kernel.host.utf8Encode("BARRIER=1"), [write]);
  } finally {
    fs.close(write);
  }
  if (wait) kernel.poll.pollOne(read, POLLIN, BARRIER_MS);
  fs.close(read);
}
