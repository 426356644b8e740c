// /etc/hosts of a container (hosts(5)).

import type { NetworkConfig } from "@teu/shim/protocol";

import type { ContainerSettings } from "../container-settings.ts";

const LOCAL = `127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
`;

/** The text for a container; `host` is the text of the host's file, which a container in the host's network sees. */
export function hostsFile(settings: ContainerSettings, network: NetworkConfig, host: string): string {
  const own = network.mode === "bridge" ? `${plain(network.address)}\t${names(settings)}\n` : "";
  const gateway = network.mode === "bridge" ? plain(network.gateway) : "127.0.0.1";
  const extra = settings.addHost.map((entry) => {
    const colon = entry.indexOf(":");
    const address = entry.slice(colon + 1);
    return `${address === "host-gateway" ? gateway : address}\t${entry.slice(0, colon)}\n`;
  });
  const base = network.mode === "host" ? host.replace(/\n?$/, "\n") : LOCAL;
  return base + extra.join("") + own;
}

function names({ hostname, domainname }: ContainerSettings): string {
  return domainname === "" ? hostname : `${hostname}.${domainname} ${hostname}`;
}

function plain(address: string): string {
  return address.split("/")[0] ?? address;
}
