import assert from "node:assert/strict";
import { test } from "node:test";

import type { ContainerSettings } from "../container-settings.ts";
import { hostsFile } from "./hosts.ts";
import { resolvConf } from "./resolv-conf.ts";

const NONE = { dns: [], dnsSearch: [], dnsOption: [], network: "bridge" } as const;

test("resolvConf: the host's servers without loopback ones, options over both", () => {
  const host =
    "# comment\nnameserver 127.0.0.53\nnameserver 9.9.9.9 # good\nsearch a.example b.example\noptions edns0\n";
  const cases = [
    { name: "host's", settings: NONE, host, want: "nameserver 9.9.9.9\nsearch a.example b.example\noptions edns0\n" },
    {
      name: "only loopback",
      settings: NONE,
      host: "nameserver 127.0.0.1\nnameserver ::1\n",
      want: "nameserver 8.8.8.8\nnameserver 8.8.4.4\n",
    },
    { name: "empty", settings: NONE, host: "", want: "nameserver 8.8.8.8\nnameserver 8.8.4.4\n" },
    {
      name: "hostile",
      settings: NONE,
      host: "nameserver not-an-address\nnameserver\n",
      want: "nameserver 8.8.8.8\nnameserver 8.8.4.4\n",
    },
    {
      name: "given",
      settings: { ...NONE, dns: ["1.1.1.1"], dnsSearch: ["."], dnsOption: ["ndots:2"] },
      host,
      want: "nameserver 1.1.1.1\noptions ndots:2\n",
    },
    { name: "host network", settings: { ...NONE, network: "host" as const }, host, want: host },
  ];
  for (const one of cases) assert.equal(resolvConf(one.settings, one.host), one.want, one.name);
});

test("hostsFile: own name and additions", () => {
  const settings = {
    hostname: "h",
    domainname: "d.example",
    addHost: ["db:10.0.0.9", "gw:host-gateway"],
  } as unknown as ContainerSettings;
  const bridge = {
    mode: "bridge",
    bridge: "teu0",
    gateway: "10.88.0.1/16",
    address: "10.88.0.2/16",
    mac: "",
    interfaceName: "eth0",
    ports: [],
  } as const;
  const text = hostsFile(settings, bridge, "");
  assert.match(text, /^127\.0\.0\.1\tlocalhost$/m);
  assert.match(text, /^10\.0\.0\.9\tdb$/m);
  assert.match(text, /^10\.88\.0\.1\tgw$/m);
  assert.match(text, /^10\.88\.0\.2\th\.d\.example h$/m);
  assert.equal(hostsFile({ ...settings, addHost: [] }, { mode: "host" }, "1.2.3.4 box"), "1.2.3.4 box\n");
});
