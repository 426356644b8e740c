// `Networks`: the three there are.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";

import type { Database } from "../store/database.ts";
import { listAddresses } from "../store/network-rows.ts";
import { BRIDGE_NETWORK, bridgeNetwork } from "./allocate.ts";
import { formatIpv4 } from "./ipv4.ts";
import type { Network, Networks } from "./networks.ts";

/** The networks of one engine. */
export class BridgeNetworks implements Networks {
  readonly #db: Database;
  readonly #root: string;

  constructor(db: Database, root: string) {
    this.#db = db;
    this.#root = root;
  }

  async list(_scope: Scope): Promise<Network[]> {
    const { name, bridge, subnet, gateway } = bridgeNetwork(this.#db, this.#root);
    const addresses = Object.fromEntries(
      [...listAddresses(this.#db, BRIDGE_NETWORK)].map(([id, address]) => [id, formatIpv4(address)]),
    );
    return [
      { name, driver: "bridge", bridge, subnet, gateway, addresses },
      { name: "host", driver: "host", bridge: "", subnet: "", gateway: "", addresses: {} },
      { name: "none", driver: "null", bridge: "", subnet: "", gateway: "", addresses: {} },
    ];
  }

  async get(scope: Scope, name: string): Promise<Network> {
    const found = (await this.list(scope)).find((network) => network.name === name);
    if (found !== undefined) return found;
    throw new TeuError({
      code: "not-found",
      op: "find network",
      subject: name,
      message: "the networks are bridge, host and none",
    });
  }
}
