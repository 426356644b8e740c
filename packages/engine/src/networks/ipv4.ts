// IPv4 addresses as numbers, networks as ranges.

import { TeuError } from "@teu/base/errors";

/** A network: its first address and prefix length. */
export interface Subnet {
  readonly base: number;
  readonly prefix: number;
}

/** "10.88.0.1" as a number. @throws TeuError `invalid`. */
export function parseIpv4(text: string): number {
  const parts = text.split(".").map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : 256));
  if (parts.length !== 4 || parts.some((part) => part > 255))
    throw new TeuError({
      code: "invalid",
      op: "read IPv4 address",
      subject: text,
      message: "want four numbers up to 255",
    });
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

/** The text of an address. */
export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");
}

/** "10.88.0.0/16"; bits behind the prefix are dropped. @throws TeuError `invalid`. */
export function parseSubnet(text: string): Subnet {
  const [address = "", length = ""] = text.split("/");
  const prefix = Number(length);
  if (!/^\d{1,2}$/.test(length) || prefix > 32)
    throw new TeuError({ code: "invalid", op: "read subnet", subject: text, message: "want address/prefix" });
  const size = 2 ** (32 - prefix);
  return { base: Math.floor(parseIpv4(address) / size) * size, prefix };
}

/** The text of a subnet. */
export function formatSubnet(subnet: Subnet): string {
  return `${formatIpv4(subnet.base)}/${subnet.prefix}`;
}

/** Whether two networks share an address. */
export function overlap(a: Subnet, b: Subnet): boolean {
  const end = (subnet: Subnet) => subnet.base + 2 ** (32 - subnet.prefix) - 1;
  return a.base <= end(b) && b.base <= end(a);
}

/** "02:42:..." made from an address: unique where the address is. */
export function macOf(address: number): string {
  const bytes = [2, 0x42, ...[24, 16, 8, 0].map((shift) => (address >>> shift) & 255)];
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}
