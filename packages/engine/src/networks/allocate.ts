// What a container's network needs from this host at start: bridge, address, ports. Released by settle.ts and remove.

import { createHash } from "node:crypto";

import { TeuError } from "@teu/base/errors";
import type { NetworkConfig, PortMapping } from "@teu/shim/protocol";

import type { ContainerSettings } from "../containers/container-settings.ts";
import type { PublishOption } from "../containers/create-options.ts";
import type { Database } from "../store/database.ts";
import { randomBelow } from "@teu/files/random";
import { allocateAddress, ensureNetwork, getNetwork, type NetworkRow, takePort } from "../store/network-rows.ts";
import { bridgeAddresses, chooseSubnet, containerRange, hostSubnets } from "./choose-subnet.ts";
import { formatIpv4, macOf, parseSubnet } from "./ipv4.ts";

/** The bridge network's name in tables and options. */
export const BRIDGE_NETWORK = "bridge";

/** Where the kernel itself chooses ports from by default. */
const EPHEMERAL = { first: 32_768, last: 60_999 } as const;
const DEFAULT_ROOT = "/var/lib/teu";

/** The default bridge, chosen when it is first needed. Engines with other roots have bridges of their own. */
export function bridgeNetwork(db: Database, root: string): NetworkRow {
  const present = getNetwork(db, BRIDGE_NETWORK);
  if (present !== null) return present;
  const suffix = root === DEFAULT_ROOT ? "0" : `-${createHash("sha256").update(root).digest("hex").slice(0, 8)}`;
  const { subnet, gateway } = bridgeAddresses(chooseSubnet(hostSubnets()));
  return ensureNetwork(db, { name: BRIDGE_NETWORK, bridge: `teu${suffix}`, subnet, gateway: formatIpv4(gateway) });
}

/** Allocates and describes the network of a container that is about to start. @throws TeuError `conflict` for a taken port, `exhausted`. */
export function allocateNetwork(db: Database, root: string, id: string, settings: ContainerSettings): NetworkConfig {
  if (settings.network !== "bridge") return { mode: settings.network };
  const network = bridgeNetwork(db, root);
  const { prefix } = parseSubnet(network.subnet);
  return db.transaction(() => {
    const address = allocateAddress(db, network.name, containerRange(network.subnet), id);
    const ports = settings.publish.map((wish) => allocatePort(db, id, wish));
    return {
      mode: "bridge",
      bridge: network.bridge,
      gateway: `${network.gateway}/${prefix}`,
      address: `${formatIpv4(address)}/${prefix}`,
      mac: macOf(address),
      interfaceName: "eth0",
      ports,
    };
  });
}

function allocatePort(db: Database, id: string, wish: Required<PublishOption>): PortMapping {
  const { hostIp, containerPort, protocol } = wish;
  if (wish.hostPort !== 0) {
    const port = { hostIp, hostPort: wish.hostPort, containerPort, protocol };
    if (takePort(db, id, port)) return port;
    throw new TeuError({
      code: "conflict",
      op: "publish port",
      subject: `${hostIp}:${wish.hostPort}/${protocol}`,
      message: "port is already allocated to another container",
      hint: "choose another host port, or leave it out",
    });
  }
  const span = EPHEMERAL.last - EPHEMERAL.first + 1;
  const start = randomBelow(span);
  for (let step = 0; step < span; step++) {
    const port = { hostIp, hostPort: EPHEMERAL.first + ((start + step) % span), containerPort, protocol };
    if (takePort(db, id, port)) return port;
  }
  throw new TeuError({
    code: "exhausted",
    op: "publish port",
    subject: String(containerPort),
    message: "no free port on this host",
  });
}
