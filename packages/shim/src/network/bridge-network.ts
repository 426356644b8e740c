// The bridge network of one container: bridge (shared, made by the first), veth pair, address and route inside, port rules.
// Everything outside the container has a name that follows from the config, so that it can be removed by somebody who only has that.
// portable: no host types here.

import { TeuError, isTeuError } from "@teu/base/errors";
import type { Task } from "../loop/task.ts";
import type { UndoStack } from "../loop/undo-stack.ts";
import { addAddress, addDefaultRoute, macOf, parseCidr } from "../netlink/address.ts";
import { deleteLink, findLink, listLinks, makeBridge, makeVeth, setHairpin, setUp } from "../netlink/link.ts";
import type { Link } from "../netlink/link.ts";
import { RouteSocket } from "../netlink/route-socket.ts";
import type { ProgramHost } from "../process/run-program.ts";
import { takeNetworkLock } from "./network-lock.ts";
import { inNetworkNamespace } from "./network-namespace.ts";
import { publishBatch, removeTableBatch, unpublishBatch } from "./nft-batch.ts";
import type { BridgeConfig } from "./nft-batch.ts";
import { runNft } from "./run-nft.ts";
import { setSysctl, trySysctl } from "./sysctl.ts";

// Interface group, "teu" in ASCII: marks a bridge that we made and may remove.
const BRIDGE_GROUP = 0x746575;

/** Which container, on which host. */
export interface BridgeContext extends ProgramHost {
  readonly id: string;
  readonly runRoot: string;
}

/** Host side of the container's veth pair: 44 bits of the id are what IFNAMSIZ leaves. */
export function vethName(id: string): string {
  return `veth${id.slice(0, 11)}`;
}

/** Wires the container in whose network namespace `namespace` (a descriptor) is. Its removal is pushed on `undo` before it begins. */
export function* addBridgeNetwork(
  context: BridgeContext,
  network: BridgeConfig,
  namespace: number,
  undo: UndoStack,
): Task<void> {
  const { kernel } = context;
  undo.push("remove the network", () => removeBridgeNetwork(context, network));
  using route = new RouteSocket(kernel);
  {
    using _lock = yield* takeNetworkLock(kernel, context.loop, context.runRoot);
    const bridge = bridgeFor(context, route, network);
    yield* runNft(context, publishBatch(network));
    const { mac: peerMac, interfaceName: peerName } = network;
    makeVeth(route, { name: vethName(context.id), master: bridge.index, peerName, peerMac, peerNamespace: namespace });
    const port = findLink(route, vethName(context.id));
    if (port !== null && network.ports.length > 0) setHairpin(route, port);
  }
  configureInside(context, network, namespace);
}

/** Removes what `addBridgeNetwork` made, as far as it is there; the bridge and its table with the last container. */
export function* removeBridgeNetwork(context: BridgeContext, network: BridgeConfig): Task<void> {
  const { kernel } = context;
  using route = new RouteSocket(kernel);
  using _lock = yield* takeNetworkLock(kernel, context.loop, context.runRoot);
  deleteLink(route, vethName(context.id));
  const bridge = findLink(route, network.bridge);
  if (bridge !== null && listLinks(route).some((link) => link.master === bridge.index)) {
    if (network.ports.length > 0) yield* runNft(context, unpublishBatch(network));
    return;
  }
  if (bridge?.group === BRIDGE_GROUP) deleteLink(route, network.bridge);
  try {
    yield* runNft(context, removeTableBatch(network));
  } catch (error) {
    // Without nft there was never a table: the set-up that is undone here failed for the same reason.
    if (!isTeuError(error, "unsupported")) throw error;
  }
}

function bridgeFor(context: BridgeContext, route: RouteSocket, network: BridgeConfig): Link {
  const { kernel } = context;
  const found = findLink(route, network.bridge);
  if (found !== null && found.kind !== "bridge") {
    throw new TeuError({
      code: "conflict",
      op: "set up bridge",
      subject: network.bridge,
      message: `there is an interface of that name that is no bridge`,
    });
  }
  if (found === null) makeBridge(route, network.bridge, macOf(parseCidr(network.gateway).address), BRIDGE_GROUP);
  const bridge = found ?? findLink(route, network.bridge);
  if (bridge === null)
    throw new TeuError({
      code: "conflict",
      op: "set up bridge",
      subject: network.bridge,
      message: "removed by somebody meanwhile",
    });
  // Also for one that is there: a flushed address or a bridge that was put down is put right by the next container.
  if (found === null) trySysctl(kernel, `ipv6/conf/${network.bridge}/disable_ipv6`, "1");
  addAddress(route, bridge, parseCidr(network.gateway));
  setUp(route, bridge);
  setSysctl(kernel, "ipv4/ip_forward", "1");
  if (network.ports.length > 0) setSysctl(kernel, `ipv4/conf/${network.bridge}/route_localnet`, "1");
  return bridge;
}

function configureInside(context: BridgeContext, network: BridgeConfig, namespace: number): void {
  const { kernel } = context;
  const name = network.interfaceName;
  using inside = inNetworkNamespace(kernel, namespace, () => {
    trySysctl(kernel, `ipv6/conf/${name}/disable_ipv6`, "1");
    return new RouteSocket(kernel);
  });
  const lo = findLink(inside, "lo");
  const eth = findLink(inside, name);
  if (lo === null || eth === null) {
    throw new TeuError({
      code: "internal",
      op: "configure the container's network",
      subject: name,
      message: "the interface is gone",
    });
  }
  setUp(inside, lo);
  addAddress(inside, eth, parseCidr(network.address));
  setUp(inside, eth);
  addDefaultRoute(inside, eth, parseCidr(network.gateway).address);
}
