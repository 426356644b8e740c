// Which subnet the bridge gets: the first candidate that meets no route and no name server of this host.

import { readFileSync } from "node:fs";

import { TeuError } from "@teu/base/errors";

import { formatSubnet, overlap, parseSubnet, type Subnet } from "./ipv4.ts";

/** /16s that neither Docker nor common home and office networks begin with, then some that they may. */
const CANDIDATES: readonly Subnet[] = [...range(10, 88, 96), ...range(172, 25, 31), ...range(10, 200, 255)].map(
  ([first, second]) => parseSubnet(`${first}.${second}.0.0/16`),
);

function range(first: number, from: number, to: number): [number, number][] {
  return Array.from({ length: to - from + 1 }, (_, index) => [first, from + index]);
}

/** The first candidate that overlaps nothing in `taken`. @throws TeuError `exhausted`. */
export function chooseSubnet(taken: readonly Subnet[]): Subnet {
  const free = CANDIDATES.find((candidate) => !taken.some((other) => overlap(candidate, other)));
  if (free !== undefined) return free;
  throw new TeuError({
    code: "exhausted",
    op: "choose subnet",
    message: "every candidate meets a route of this host",
    hint: "use --network host or none",
  });
}

/** Networks that this host routes to. */
export function hostSubnets(): Subnet[] {
  return parseRoutes(readFileSync("/proc/net/route", "latin1"));
}

/** Routes in the text of /proc/net/route, the default route left out; the numbers there are in the machine's (little-endian) order. */
export function parseRoutes(text: string): Subnet[] {
  return text
    .trim()
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [, destination = "", , , , , , mask = ""] = line.split("\t");
      const prefix = swap(mask).toString(2).replaceAll("0", "").length;
      return prefix === 0 ? [] : [{ base: swap(destination), prefix }];
    });
}

function swap(hex: string): number {
  return Buffer.from(hex, "hex").readUInt32LE(0);
}

/** The subnet's text with the bridge's own address: its first. */
export function bridgeAddresses(subnet: Subnet): { readonly subnet: string; readonly gateway: number } {
  return { subnet: formatSubnet(subnet), gateway: subnet.base + 1 };
}

/** Addresses for containers: all but network, bridge and broadcast. */
export function containerRange(subnet: string): { readonly first: number; readonly last: number } {
  const { base, prefix } = parseSubnet(subnet);
  return { first: base + 2, last: base + 2 ** (32 - prefix) - 2 };
}
