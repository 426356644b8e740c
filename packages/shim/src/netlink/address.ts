// IPv4 addresses and routes by rtnetlink, and their text form.
// portable: no host types here.

import { concatBytes } from "@teu/base/bytes";
import type { Link } from "./link.ts";
import { attribute, numberAttribute } from "./message.ts";
import { isRefusal } from "./route-socket.ts";
import type { RouteSocket } from "./route-socket.ts";

const RTM_NEWADDR = 20;
const RTM_NEWROUTE = 24;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const AF_INET = 2;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RT_SCOPE_UNIVERSE = 0;
const RTN_UNICAST = 1;

/** An address with its prefix, from "10.88.0.1/16". */
export interface Cidr {
  /** As a number, 10.88.0.1 = 0x0a580001. */
  readonly address: number;
  readonly prefix: number;
}

/** Reads what `parseConfig` has already checked. */
export function parseCidr(text: string): Cidr {
  const [address = "", prefix = "32"] = text.split("/");
  return { address: address.split(".").reduce((value, part) => value * 256 + Number(part), 0), prefix: Number(prefix) };
}

/** "10.88.0.1" */
export function addressText(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");
}

/** A locally administered hardware address that follows from an IPv4 address, as Docker makes them: "02:42:0a:58:00:01". */
export function macOf(address: number): string {
  const parts = [0x02, 0x42, address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255];
  return parts.map((part) => part.toString(16).padStart(2, "0")).join(":");
}

/** "10.88.0.0/16" */
export function networkText(cidr: Cidr): string {
  const mask = cidr.prefix === 0 ? 0 : (~0 << (32 - cidr.prefix)) >>> 0;
  return `${addressText((cidr.address & mask) >>> 0)}/${cidr.prefix}`;
}

/** Gives an interface an address; one that it has already is fine. */
export function addAddress(route: RouteSocket, link: Link, cidr: Cidr): void {
  const header = new Uint8Array(8);
  header[0] = AF_INET;
  header[1] = cidr.prefix;
  new DataView(header.buffer).setUint32(4, link.index, true);
  const address = networkOrder(cidr.address);
  const broadcast = networkOrder((cidr.address | (0xffffffff >>> cidr.prefix)) >>> 0);
  const payload = concatBytes([
    header,
    attribute(IFA_LOCAL, address),
    attribute(IFA_ADDRESS, address),
    attribute(IFA_BROADCAST, broadcast),
  ]);
  try {
    const subject = `${addressText(cidr.address)}/${cidr.prefix}`;
    route.change({
      type: RTM_NEWADDR,
      flags: NLM_F_CREATE | NLM_F_EXCL,
      payload,
      op: `add address to ${link.name}`,
      subject,
    });
  } catch (error) {
    if (!isRefusal(error, "EEXIST")) throw error;
  }
}

/** The default route over `gateway`. */
export function addDefaultRoute(route: RouteSocket, link: Link, gateway: number): void {
  const header = new Uint8Array(12);
  header.set([AF_INET, 0, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, RT_SCOPE_UNIVERSE, RTN_UNICAST]);
  const payload = concatBytes([
    header,
    attribute(RTA_GATEWAY, networkOrder(gateway)),
    numberAttribute(RTA_OIF, link.index),
  ]);
  route.change({
    type: RTM_NEWROUTE,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    payload,
    op: "add default route",
    subject: addressText(gateway),
  });
}

function networkOrder(address: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, address);
  return bytes;
}
