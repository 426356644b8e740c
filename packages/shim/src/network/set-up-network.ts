// The container's network by mode, between the runtime's create and start.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import type { Task } from "../loop/task.ts";
import type { UndoStack } from "../loop/undo-stack.ts";
import { findLink, setUp } from "../netlink/link.ts";
import { RouteSocket } from "../netlink/route-socket.ts";
import type { NetworkConfig } from "../protocol.ts";
import { addBridgeNetwork } from "./bridge-network.ts";
import type { BridgeContext } from "./bridge-network.ts";
import { inNetworkNamespace, openNetworkNamespace, sharesNetwork } from "./network-namespace.ts";

/**
 * Sets up the network of the container whose init is `pid`.
 * @throws TeuError `invalid` when the container was created without a network namespace of its own although it is to have one.
 */
export function* setUpNetwork(
  context: BridgeContext,
  network: NetworkConfig,
  pid: number,
  undo: UndoStack,
): Task<void> {
  if (network.mode === "host") return;
  const { kernel } = context;
  if (sharesNetwork(kernel, pid)) {
    const message = `mode ${network.mode}, but config.json asks for no network namespace`;
    throw new TeuError({ code: "invalid", op: "set up network", message });
  }
  const namespace = openNetworkNamespace(kernel, pid);
  try {
    if (network.mode === "bridge") yield* addBridgeNetwork(context, network, namespace, undo);
    else bringUpLoopback(context, namespace);
  } finally {
    kernel.fs.close(namespace);
  }
}

// Runtimes differ in whether they do it.
function bringUpLoopback(context: BridgeContext, namespace: number): void {
  using inside = inNetworkNamespace(context.kernel, namespace, () => new RouteSocket(context.kernel));
  const lo = findLink(inside, "lo");
  if (lo !== null && !lo.up) setUp(inside, lo);
}
