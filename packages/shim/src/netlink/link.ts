// Network interfaces by rtnetlink: find, list, make a bridge, make a veth pair across namespaces, bring up, delete.
// portable: no host types here.

import { concatBytes } from "@teu/base/bytes";
import {
  attribute,
  decodeAttributes,
  nested,
  numberAttribute,
  numberValue,
  textAttribute,
  textValue,
} from "./message.ts";
import type { NetlinkMessage } from "./message.ts";
import { isRefusal } from "./route-socket.ts";
import type { RouteSocket } from "./route-socket.ts";

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_SETLINK = 19;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const IFF_UP = 1;
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MASTER = 10;
const IFLA_PROTINFO = 12;
const IFLA_LINKINFO = 18;
const IFLA_GROUP = 27;
const IFLA_NET_NS_FD = 28;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFLA_BRPORT_MODE = 4;
const AF_BRIDGE = 7;
const NLA_F_NESTED = 0x8000;
const IFINFO_LENGTH = 16;

/** An interface as the kernel shows it. */
export interface Link {
  readonly index: number;
  readonly name: string;
  readonly up: boolean;
  /** Index of its bridge; 0: none. */
  readonly master: number;
  /** "bridge", "veth" ...; "" for hardware and lo. */
  readonly kind: string;
  /** Number that its maker gave it, 0 for none. */
  readonly group: number;
}

/** The interface of that name, or null. */
export function findLink(route: RouteSocket, name: string): Link | null {
  const payload = concatBytes([ifinfo(0, false), textAttribute(IFLA_IFNAME, name)]);
  try {
    const [answer] = route.ask({ type: RTM_GETLINK, payload, op: "find link", subject: name });
    return answer === undefined ? null : decodeLink(answer);
  } catch (error) {
    if (isRefusal(error, "ENODEV")) return null;
    throw error;
  }
}

/** All interfaces of the namespace. */
export function listLinks(route: RouteSocket): Link[] {
  return route
    .ask({ type: RTM_GETLINK, payload: ifinfo(0, false), op: "list links", subject: "" }, true)
    .map(decodeLink);
}

/**
 * Makes a bridge, down. Its hardware address is given: a bridge without one takes that of some port, and changes it with its
 * ports under everybody's ARP tables. `group` marks it from its first moment on, unlike an alias, which takes a second message.
 * @throws TeuError `already-exists`.
 */
export function makeBridge(route: RouteSocket, name: string, mac: string, group: number): void {
  const payload = concatBytes([
    ifinfo(0, false),
    textAttribute(IFLA_IFNAME, name),
    attribute(IFLA_ADDRESS, macBytes(mac)),
    numberAttribute(IFLA_GROUP, group),
    nested(IFLA_LINKINFO, textAttribute(IFLA_INFO_KIND, "bridge")),
  ]);
  route.change({ type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, payload, op: "make bridge", subject: name });
}

/** A veth pair: `name` here, up, in a bridge; its peer inside another namespace from its first moment on. */
export interface VethPair {
  readonly name: string;
  readonly master: number;
  readonly peerName: string;
  readonly peerMac: string;
  /** Descriptor of the namespace. */
  readonly peerNamespace: number;
}

/** Makes a veth pair. @throws TeuError `already-exists`. */
export function makeVeth(route: RouteSocket, pair: VethPair): void {
  const peer = concatBytes([
    ifinfo(0, false),
    textAttribute(IFLA_IFNAME, pair.peerName),
    attribute(IFLA_ADDRESS, macBytes(pair.peerMac)),
    numberAttribute(IFLA_NET_NS_FD, pair.peerNamespace),
  ]);
  const payload = concatBytes([
    ifinfo(0, true),
    textAttribute(IFLA_IFNAME, pair.name),
    numberAttribute(IFLA_MASTER, pair.master),
    nested(
      IFLA_LINKINFO,
      textAttribute(IFLA_INFO_KIND, "veth"),
      nested(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, peer)),
    ),
  ]);
  route.change({
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    payload,
    op: "make veth pair",
    subject: pair.name,
  });
}

/**
 * Lets a bridge send a packet back out of the port it came from: where bridged packets pass the IP hooks (br_netfilter), a
 * container's connection to its own published port is turned around inside the bridge.
 */
export function setHairpin(route: RouteSocket, link: Link): void {
  const header = ifinfo(link.index, undefined);
  header[0] = AF_BRIDGE;
  const payload = concatBytes([
    header,
    nested(IFLA_PROTINFO | NLA_F_NESTED, attribute(IFLA_BRPORT_MODE, Uint8Array.of(1))),
  ]);
  route.change({ type: RTM_SETLINK, payload, op: "set hairpin mode", subject: link.name });
}

/** Brings an interface up. */
export function setUp(route: RouteSocket, link: Link): void {
  route.change({ type: RTM_NEWLINK, payload: ifinfo(link.index, true), op: "bring up link", subject: link.name });
}

/** Deletes an interface (and a veth's peer); a missing one is fine. */
export function deleteLink(route: RouteSocket, name: string): void {
  try {
    const payload = concatBytes([ifinfo(0, false), textAttribute(IFLA_IFNAME, name)]);
    route.change({ type: RTM_DELLINK, payload, op: "delete link", subject: name });
  } catch (error) {
    if (!isRefusal(error, "ENODEV")) throw error;
  }
}

/** "02:42:0a:58:00:02" as six bytes. */
export function macBytes(mac: string): Uint8Array {
  return Uint8Array.from(mac.split(":"), (part) => Number.parseInt(part, 16));
}

// struct ifinfomsg; `up` undefined or false: the flag is left as it is.
function ifinfo(index: number, up: boolean | undefined): Uint8Array {
  const bytes = new Uint8Array(IFINFO_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setInt32(4, index, true);
  if (up === true) {
    view.setUint32(8, IFF_UP, true);
    view.setUint32(12, IFF_UP, true);
  }
  return bytes;
}

function decodeLink(message: NetlinkMessage): Link {
  const view = new DataView(message.payload.buffer, message.payload.byteOffset);
  const attributes = decodeAttributes(message.payload.subarray(IFINFO_LENGTH));
  const info = attributes.get(IFLA_LINKINFO);
  return {
    index: view.getInt32(4, true),
    name: textValue(attributes.get(IFLA_IFNAME)) ?? "",
    up: (view.getUint32(8, true) & IFF_UP) !== 0,
    master: numberValue(attributes.get(IFLA_MASTER)) ?? 0,
    kind: info === undefined ? "" : (textValue(decodeAttributes(info).get(IFLA_INFO_KIND)) ?? ""),
    group: numberValue(attributes.get(IFLA_GROUP)) ?? 0,
  };
}
