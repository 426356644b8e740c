// Rows of networks, addresses and published ports. Allocation is one transaction: two processes never get the same one.

import { TeuError } from "@teu/base/errors";
import type { PortMapping } from "@teu/shim/protocol";

import type { Database, Row } from "./database.ts";

/** A row of `network`: a bridge of ours. */
export interface NetworkRow {
  readonly name: string;
  readonly bridge: string;
  /** "10.88.0.0/16" */
  readonly subnet: string;
  /** "10.88.0.1" */
  readonly gateway: string;
}

/** Range of host addresses, as numbers; both ends included. */
export interface AddressRange {
  readonly first: number;
  readonly last: number;
}

/** Null when there is none. */
export function getNetwork(db: Database, name: string): NetworkRow | null {
  const row = db.get("SELECT * FROM network WHERE name = ?", name);
  return row === undefined ? null : networkOf(row);
}

/** Adds a network unless it is there; returns what is. */
export function ensureNetwork(db: Database, row: NetworkRow): NetworkRow {
  db.run(
    "INSERT OR IGNORE INTO network(name, bridge, subnet, gateway, last) VALUES (?, ?, ?, ?, 0)",
    row.name,
    row.bridge,
    row.subnet,
    row.gateway,
  );
  return getNetwork(db, row.name) ?? row;
}

/**
 * The container's address in a network: the one it has, else the next free one behind the last allocated, around the range once.
 * @throws TeuError `exhausted`.
 */
export function allocateAddress(db: Database, network: string, range: AddressRange, containerId: string): number {
  return db.transaction(() => {
    const own = db.get("SELECT address FROM address WHERE network = ? AND container_id = ?", network, containerId);
    if (own !== undefined) return Number(own["address"]);
    const last = Number(db.get("SELECT last FROM network WHERE name = ?", network)?.["last"] ?? 0);
    const start = last < range.first || last >= range.last ? range.first : last + 1;
    const address = freeFrom(db, network, start, range.last) ?? freeFrom(db, network, range.first, start - 1);
    if (address === null) {
      throw new TeuError({
        code: "exhausted",
        op: "allocate address",
        subject: network,
        message: `all ${range.last - range.first + 1} addresses are in use`,
        hint: "stop containers that are not needed",
      });
    }
    db.run("INSERT INTO address(network, address, container_id) VALUES (?, ?, ?)", network, address, containerId);
    db.run("UPDATE network SET last = ? WHERE name = ?", address, network);
    return address;
  });
}

/** Lowest free address in the range: `first` itself, or the successor of a taken one whose successor is free. */
function freeFrom(db: Database, network: string, first: number, last: number): number | null {
  if (first > last) return null;
  if (db.get("SELECT 1 FROM address WHERE network = ? AND address = ?", network, first) === undefined) return first;
  const row = db.get(
    `SELECT address + 1 AS free FROM address AS a WHERE network = ?1 AND address BETWEEN ?2 AND ?3 - 1
       AND NOT EXISTS (SELECT 1 FROM address AS b WHERE b.network = ?1 AND b.address = a.address + 1) ORDER BY address LIMIT 1`,
    network,
    first,
    last,
  );
  return row === undefined ? null : Number(row["free"]);
}

/** Container id to address, of one network. */
export function listAddresses(db: Database, network: string): ReadonlyMap<string, number> {
  return new Map(
    db
      .all("SELECT container_id, address FROM address WHERE network = ?", network)
      .map((row) => [String(row["container_id"]), Number(row["address"])]),
  );
}

/** Takes a port of the host for a container; false when another container has it (0.0.0.0 meets every address). */
export function takePort(db: Database, containerId: string, port: PortMapping): boolean {
  return db.transaction(() => {
    const clash = db.get(
      `SELECT 1 FROM port WHERE protocol = ? AND host_port = ? AND (host_ip = ? OR host_ip = '0.0.0.0' OR ? = '0.0.0.0')`,
      port.protocol,
      port.hostPort,
      port.hostIp,
      port.hostIp,
    );
    if (clash !== undefined) return false;
    db.run(
      "INSERT INTO port(protocol, host_port, host_ip, container_port, container_id) VALUES (?, ?, ?, ?, ?)",
      port.protocol,
      port.hostPort,
      port.hostIp,
      port.containerPort,
      containerId,
    );
    return true;
  });
}

/** Published ports of every container, or of one. */
export function listPorts(db: Database, containerId?: string): ReadonlyMap<string, PortMapping[]> {
  const rows =
    containerId === undefined
      ? db.all("SELECT * FROM port ORDER BY container_port, protocol, host_ip")
      : db.all("SELECT * FROM port WHERE container_id = ? ORDER BY container_port, protocol, host_ip", containerId);
  return Map.groupBy(rows, (row) => String(row["container_id"]))
    .entries()
    .reduce((map, [id, list]) => map.set(id, list.map(portOf)), new Map<string, PortMapping[]>());
}

/** Gives back addresses and ports; no error when there are none. */
export function releaseNetwork(db: Database, containerId: string): void {
  db.transaction(() => {
    db.run("DELETE FROM address WHERE container_id = ?", containerId);
    db.run("DELETE FROM port WHERE container_id = ?", containerId);
  });
}

/** Ids of containers that hold an address or a port. */
export function networkHolders(db: Database): string[] {
  return db
    .all("SELECT container_id FROM address UNION SELECT container_id FROM port")
    .map((row) => String(row["container_id"]));
}

function networkOf(row: Row): NetworkRow {
  return {
    name: String(row["name"]),
    bridge: String(row["bridge"]),
    subnet: String(row["subnet"]),
    gateway: String(row["gateway"]),
  };
}

function portOf(row: Row): PortMapping {
  return {
    protocol: row["protocol"] === "udp" ? "udp" : "tcp",
    hostPort: Number(row["host_port"]),
    hostIp: String(row["host_ip"]),
    containerPort: Number(row["container_port"]),
  };
}
