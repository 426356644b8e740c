// Webhooks go where the configuration says, but never by accident to what only this machine or its network can reach: addresses of
// private, local and special networks are refused unless they were allowed (scenario 29). The address that was looked at is the one
// that is connected to, so that a name cannot mean another one a moment later.

import { lookup as dnsLookup, type LookupAddress } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";

// Two lists: one for both would take IPv4 addresses for the IPv6 ones that hold them.
const SPECIAL_4 = new BlockList();
const SPECIAL_6 = new BlockList();
// IANA's special-purpose registries: nothing in them is a host of the internet.
for (const [network, bits] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
] as const)
  SPECIAL_4.addSubnet(network, bits, "ipv4");
// 2000::/3 is what is given out of IPv6; everything else, and these of it, are special.
for (const [network, bits] of [
  ["::", 3],
  ["4000::", 2],
  ["8000::", 1],
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
] as const)
  SPECIAL_6.addSubnet(network, bits, "ipv6");

/** Whether an address is one of the internet. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !SPECIAL_4.check(address, "ipv4");
  return family === 6 && !SPECIAL_6.check(address, "ipv6");
}

/** Whether a URL's host is an address that is not of the internet; names are looked at when they are looked up. */
export function isSpecialHost(url: URL): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return isIP(host) !== 0 && !isPublicAddress(host);
}

/** Looks names up and fails when one address of a name is special. */
export const publicLookup: LookupFunction = (name, options, callback) => {
  dnsLookup(name, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    const special = error === null ? addresses.find(({ address }) => !isPublicAddress(address)) : undefined;
    const [first] = addresses ?? [];
    if (error !== null || special !== undefined || first === undefined) {
      const refusal = Object.assign(new Error("the name leads to a private or local address"), { code: "EPRIVATE" });
      return callback(error ?? refusal, "", 0);
    }
    if (options.all === true) return callback(null, addresses);
    callback(null, first.address, first.family);
  });
};
