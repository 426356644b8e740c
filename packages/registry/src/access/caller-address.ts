// The address a request comes from: the connection's, or what a reverse proxy that is trusted says of it.

import { BlockList, isIP } from "node:net";
import { TeuError } from "@teu/base/errors";
import type { Caller } from "@teu/distribution/server/access";

/** Makes the function for a list of trusted proxies: addresses, or networks as "10.0.0.0/8". @throws TeuError `invalid`. */
export function callerAddress(trusted: readonly string[] = []): (caller: Caller) => string {
  const proxies = addressList(trusted);
  return ({ headers, socket }) => {
    const peer = plain(socket?.remoteAddress ?? "");
    if (trusted.length === 0 || !contains(proxies, peer)) return peer;
    const forwarded = headers["x-forwarded-for"];
    const hops = (Array.isArray(forwarded) ? forwarded.join(",") : (forwarded ?? ""))
      .split(",")
      .map((hop) => plain(hop.trim()));
    // Each proxy appends whom it heard from: read from the end, the first that is none of ours. What is before, anybody can write.
    const first = hops.findLast((hop) => isIP(hop) === 0 || !contains(proxies, hop));
    return first !== undefined && isIP(first) !== 0 ? first : peer;
  };
}

/** A list of addresses and networks. @throws TeuError `invalid` for an entry that is neither. */
export function addressList(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = "", bits, ...more] = entry.split("/");
    const family = isIP(address);
    const most = family === 4 ? 32 : 128;
    const valid =
      family !== 0 && more.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most));
    if (!valid)
      throw new TeuError({
        code: "invalid",
        op: "read address",
        subject: entry,
        message: 'want an address or "ADDRESS/BITS"',
      });
    list.addSubnet(address, bits === undefined ? most : Number(bits), family === 4 ? "ipv4" : "ipv6");
  }
  return list;
}

function contains(list: BlockList, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && list.check(address, family === 4 ? "ipv4" : "ipv6");
}

// Sockets of both families show IPv4 addresses in IPv6's form.
function plain(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
}
