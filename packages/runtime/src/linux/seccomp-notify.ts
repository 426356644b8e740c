// Hands the seccomp notify fd to the agent at listenerPath (runtime-spec, "The Container Process State").
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AF_UNIX, POLLIN, SOCK_STREAM } from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
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

/**
 * Fetches the notify fd that the child is getting at this moment under the number that it has told, and hands it to the agent. By
 * then the child may stand still already, at a call that the agent is asked about.
 */
export function handOver(
  kernel: Kernel,
  child: { readonly pidfd: number },
  message: { readonly fd?: number },
  socket: number,
  plan: SeccompPlan | null,
  state: State,
): void {
  const fd = fetch(kernel, child.pidfd, message.fd ?? -1);
  if (fd < 0 || plan === null) return;
  const told: ContainerProcessState = {
    ociVersion: RUNTIME_SPEC_VERSION,
    fds: ["seccompFd"],
    pid: state.pid ?? 0,
    state,
    ...(plan.listenerMetadata === "" ? {} : { metadata: plan.listenerMetadata }),
  };
  kernel.socket.sendMessage(socket, kernel.host.utf8Encode(JSON.stringify(told)), [fd]);
  kernel.fs.close(fd);
  kernel.fs.close(socket);
}

const FETCH_TRIES = 10_000;

/** -1: the child ended instead; what it has to say comes next. */
function fetch(kernel: Kernel, pidfd: number, number: number): number {
  for (let tries = 0; tries < FETCH_TRIES; tries++) {
    try {
      return kernel.process.pidfdGetfd(pidfd, number);
    } catch (error) {
      if (isSysError(error, "ESRCH")) return -1;
      if (!isSysError(error, "EBADF")) {
        throw new TeuError({
          code: "denied",
          op: "fetch seccomp descriptor",
          message: "a filter with SCMP_ACT_NOTIFY needs a runtime that may trace the container (CAP_SYS_PTRACE)",
          cause: error,
        });
      }
    }
    // Not there yet: a millisecond, or its end.
    if (kernel.poll.pollOne(pidfd, POLLIN, 1)) return -1;
  }
  throw new TeuError({ code: "timeout", op: "fetch seccomp descriptor", message: "the filter is not loaded" });
}
