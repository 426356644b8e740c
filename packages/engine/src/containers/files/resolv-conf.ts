// /etc/resolv.conf of a container (resolv.conf(5)): the host's, without what means "this machine" and so would not be reached.

import { isIP } from "node:net";

import type { ContainerSettings } from "../container-settings.ts";

/** Asked when the host names none that a container reaches. As Docker does. */
const FALLBACK: readonly string[] = ["8.8.8.8", "8.8.4.4"];

/** The text for a container; `host` is the text of the host's file. */
export function resolvConf(
  settings: Pick<ContainerSettings, "dns" | "dnsSearch" | "dnsOption" | "network">,
  host: string,
): string {
  const { dns, dnsSearch, dnsOption, network } = settings;
  if (network === "host" && dns.length + dnsSearch.length + dnsOption.length === 0) return host;
  const words = (keyword: string) =>
    host.split("\n").flatMap((line) => {
      const [first, ...rest] = line
        .replace(/[#;].*$/, "")
        .trim()
        .split(/\s+/);
      return first === keyword ? rest : [];
    });
  const reachable = words("nameserver").filter(
    (address) => isIP(address) !== 0 && (network === "host" || !isLoopback(address)),
  );
  const servers = dns.length > 0 ? dns : reachable.length > 0 ? reachable : FALLBACK;
  const search = dnsSearch.length > 0 ? dnsSearch.filter((domain) => domain !== ".") : words("search");
  const options = dnsOption.length > 0 ? dnsOption : words("options");
  return [
    ...servers.map((address) => `nameserver ${address}\n`),
    ...(search.length === 0 ? [] : [`search ${search.join(" ")}\n`]),
    ...(options.length === 0 ? [] : [`options ${options.join(" ")}\n`]),
  ].join("");
}

/** Whether only this machine answers there. */
function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1" || address.startsWith("::ffff:127.");
}
