// nft batches: what they say, and that they can be said again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { publishBatch, removeTableBatch, unpublishBatch } from "./nft-batch.ts";
import type { BridgeConfig } from "./nft-batch.ts";

const network: BridgeConfig = {
  mode: "bridge",
  bridge: "teu0",
  gateway: "10.88.0.1/16",
  address: "10.88.0.2/16",
  mac: "02:42:0a:58:00:02",
  interfaceName: "eth0",
  ports: [
    { hostIp: "0.0.0.0", hostPort: 8080, containerPort: 80, protocol: "tcp" },
    { hostIp: "127.0.0.1", hostPort: 5353, containerPort: 53, protocol: "udp" },
  ],
};

test("publishBatch: ports are elements of the map that fits their address", () => {
  const lines = publishBatch(network).split("\n");
  assert.ok(lines.includes("add element ip teu_teu0 published_any { tcp . 8080 : 10.88.0.2 . 80 }"));
  assert.ok(lines.includes("add element ip teu_teu0 published { udp . 127.0.0.1 . 5353 : 10.88.0.2 . 53 }"));
});

test("publishBatch: every chain is flushed before its rules are added, so that it can be said again", () => {
  const lines = publishBatch(network).split("\n");
  for (const [at, line] of lines.entries()) {
    const chain = /^add rule ip teu_teu0 (\w+)/.exec(line)?.[1];
    if (chain !== undefined) assert.ok(lines.indexOf(`flush chain ip teu_teu0 ${chain}`) < at, line);
  }
});

test("publishBatch: what is not published is dropped, and 127.0.0.1 is closed to containers (CVE-2020-8558)", () => {
  const batch = publishBatch(network);
  assert.match(batch, /forward oifname "teu0" ct status dnat accept\n(.*\n)*.*forward oifname "teu0" drop/);
  assert.match(batch, /iifname "teu0" ip daddr 127\.0\.0\.0\/8 drop/);
  assert.match(batch, /ip saddr 10\.88\.0\.0\/16 oifname != "teu0" masquerade/);
});

test("unpublishBatch: deletes each element after adding it, so that it passes when it is gone already", () => {
  const lines = unpublishBatch(network).split("\n");
  const at = lines.indexOf("delete element ip teu_teu0 published_any { tcp . 8080 : 10.88.0.2 . 80 }");
  assert.equal(lines[at - 1], "add element ip teu_teu0 published_any { tcp . 8080 : 10.88.0.2 . 80 }");
});

test("removeTableBatch: passes without a table", () => {
  assert.equal(removeTableBatch(network), "add table ip teu_teu0\ndelete table ip teu_teu0\n");
});
