// Doing one thing in another network namespace. The shim has one thread, so setns there and back is all it takes; a socket
// opened there stays there. No child process enters the container's namespace.
// portable: no host types here.

import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from "@teu/sys/constants/fs";
import { CLONE_NEWNET } from "@teu/sys/constants/process";
import type { Kernel } from "@teu/sys/kernel";

/** Descriptor of the network namespace of a process; the caller's. */
export function openNetworkNamespace(kernel: Kernel, pid: number | "self"): number {
  return kernel.fs.openat(AT_FDCWD, `/proc/${pid}/ns/net`, O_RDONLY | O_CLOEXEC, 0);
}

/** Does the process share the shim's network? */
export function sharesNetwork(kernel: Kernel, pid: number): boolean {
  return kernel.fs.readlinkAt(AT_FDCWD, `/proc/${pid}/ns/net`) === kernel.fs.readlinkAt(AT_FDCWD, "/proc/self/ns/net");
}

/** Runs `body` in the namespace and comes back, whatever happened. */
export function inNetworkNamespace<T>(kernel: Kernel, namespace: number, body: () => T): T {
  const home = openNetworkNamespace(kernel, "self");
  try {
    kernel.namespace.setns(namespace, CLONE_NEWNET);
    try {
      return body();
    } finally {
      kernel.namespace.setns(home, CLONE_NEWNET);
    }
  } finally {
    kernel.fs.close(home);
  }
}
