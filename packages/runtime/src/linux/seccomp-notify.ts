// Hands the seccomp notify fd to the agent at listenerPath (runtime-spec, "The Container Process State").
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AF_UNIX, SOCK_STREAM } from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";
import { type ContainerProcessState, RUNTIME_SPEC_VERSION, type State } from "@teu/specs/runtime";
import type { SeccompPlan } from "./seccomp.ts";

/** Connects while the host's paths are in sight; -1 when nobody is to be told. Caller closes. */
export function connectAgent(kernel: Kernel, plan: SeccompPlan | null): number {
  if (plan === null || plan.listenerPath === "") return -1;
  const fd = kernel.socket.socket(AF_UNIX, SOCK_STREAM, 0);
  try {
    kernel.socket.connectUnix(fd, plan.listenerPath);
    return fd;
  } catch (error) {
    kernel.fs.close(fd);
    throw new TeuError({
      code: "unavailable",
      op: "connect to seccomp agent",
      subject: plan.listenerPath,
      message: "refused",
      cause: error,
    });
  }
}

/** Sends state and fd, and closes the fd. Does nothing for a filter that does not notify. */
export function sendNotify(kernel: Kernel, socket: number, fd: number, plan: SeccompPlan | null, state: State): void {
  if (fd < 0 || socket < 0 || plan === null) return;
  const message: ContainerProcessState = {
    ociVersion: RUNTIME_SPEC_VERSION,
    fds: ["seccompFd"],
    pid: state.pid ?? 0,
    state,
    ...(plan.listenerMetadata === "" ? {} : { metadata: plan.listenerMetadata }),
  };
  kernel.socket.sendMessage(socket, kernel.host.utf8Encode(JSON.stringify(message)), [fd]);
  kernel.fs.close(fd);
  kernel.fs.close(socket);
}
