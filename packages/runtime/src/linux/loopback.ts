// Brings up "lo" in a new network namespace.
// portable: no host types here.

import { IFF_UP, RTM_NEWLINK } from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";
import { RouteSocket, linkBody } from "./netlink.ts";

/** Sets interface 1 up: in a new namespace that is always lo. */
export function raiseLoopback(kernel: Kernel): void {
  const route = new RouteSocket(kernel);
  try {
    route.change("bring up interface", "lo", RTM_NEWLINK, 0, linkBody(1, IFF_UP, IFF_UP));
  } finally {
    route.close();
  }
}
