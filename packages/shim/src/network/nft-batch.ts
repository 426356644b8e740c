// The nftables side of a bridge as text for `nft -f -`: each batch is one transaction in the kernel. Pure.
//
// One table for each bridge, `ip teu_BRIDGE`. Its rules never change with containers: published ports are elements of two maps,
// added and deleted by key, looked up in constant time, however many there are. Other tables' drops still hold: an accept here
// ends this table's evaluation only.
// portable: no host types here.

import { addressText, networkText, parseCidr } from "../netlink/address.ts";
import type { NetworkConfig, PortMapping } from "../protocol.ts";

/** The bridge half of `NetworkConfig`. */
export type BridgeConfig = Extract<NetworkConfig, { mode: "bridge" }>;

/** Name of the bridge's table. */
export function tableName(bridge: string): string {
  return `teu_${bridge}`;
}

/** Makes the bridge's table, or puts its rules right again, and publishes the container's ports. */
export function publishBatch(network: BridgeConfig): string {
  const table = `ip ${tableName(network.bridge)}`;
  return `${skeleton(table)}${rules(table, network)}${elements(network)
    .map((element) => `add element ${table} ${element}\n`)
    .join("")}`;
}

/** Takes the container's ports back. Adding them first makes it pass whatever is left of the table. */
export function unpublishBatch(network: BridgeConfig): string {
  const table = `ip ${tableName(network.bridge)}`;
  const changes = elements(network).map(
    (element) => `add element ${table} ${element}\ndelete element ${table} ${element}\n`,
  );
  return `add table ${table}\n${maps(table)}${changes.join("")}`;
}

/** Removes the bridge's table, if it is there. */
export function removeTableBatch(network: BridgeConfig): string {
  const table = `ip ${tableName(network.bridge)}`;
  return `add table ${table}\ndelete table ${table}\n`;
}

function maps(table: string): string {
  return `add map ${table} published { type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service; }
add map ${table} published_any { type inet_proto . inet_service : ipv4_addr . inet_service; }
`;
}

function skeleton(table: string): string {
  const chains = [
    "local { type filter hook prerouting priority -300; policy accept; }",
    "inbound { type nat hook prerouting priority -100; policy accept; }",
    "outbound { type nat hook output priority -100; policy accept; }",
    "translate",
    "source { type nat hook postrouting priority 100; policy accept; }",
    "forward { type filter hook forward priority 0; policy accept; }",
  ];
  const made = chains.map((chain) => `add chain ${table} ${chain}\nflush chain ${table} ${chain.split(" ")[0]}\n`);
  return `add table ${table}\n${maps(table)}${made.join("")}`;
}

function rules(table: string, network: BridgeConfig): string {
  const bridge = `"${network.bridge}"`;
  const subnet = networkText(parseCidr(network.gateway));
  const all: readonly [string, string][] = [
    // CVE-2020-8558: route_localnet on the bridge would let containers talk to the host's 127.0.0.1.
    ["local", `iifname ${bridge} ip daddr 127.0.0.0/8 drop`],
    ["inbound", "fib daddr type local jump translate"],
    ["outbound", "fib daddr type local jump translate"],
    ["translate", "dnat ip to meta l4proto . ip daddr . th dport map @published"],
    ["translate", "dnat ip to meta l4proto . th dport map @published_any"],
    ["source", `ip saddr ${subnet} oifname != ${bridge} masquerade`],
    // The host to its own 127.0.0.1:port, and a container to its own published port: the answer must come back through here.
    ["source", `oifname ${bridge} ip saddr 127.0.0.0/8 masquerade`],
    ["source", `oifname ${bridge} ip saddr ${subnet} ct status dnat masquerade`],
    ["forward", `oifname ${bridge} ct state established,related accept`],
    ["forward", `oifname ${bridge} ct status dnat accept`],
    ["forward", `iifname ${bridge} accept`],
    ["forward", `oifname ${bridge} drop`],
  ];
  return all.map(([chain, rule]) => `add rule ${table} ${chain} ${rule}\n`).join("");
}

function elements(network: BridgeConfig): string[] {
  const container = addressText(parseCidr(network.address).address);
  return network.ports.map((port) => element(port, container));
}

function element(port: PortMapping, container: string): string {
  const target = `${container} . ${port.containerPort}`;
  if (port.hostIp === "0.0.0.0") return `published_any { ${port.protocol} . ${port.hostPort} : ${target} }`;
  return `published { ${port.protocol} . ${port.hostIp} . ${port.hostPort} : ${target} }`;
}
