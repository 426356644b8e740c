// parseConfig: what it takes, and what it refuses with which path.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { parseConfig } from "./parse-config.ts";

const bridge = {
  mode: "bridge",
  bridge: "teu0",
  gateway: "10.88.0.1/16",
  address: "10.88.0.2/16",
  mac: "02:42:0a:58:00:02",
  interfaceName: "eth0",
  ports: [{ hostIp: "0.0.0.0", hostPort: 8080, containerPort: 80, protocol: "tcp" }],
};
const valid = {
  version: 1,
  id: "ab".repeat(32),
  bundle: "/r/bundle",
  runDir: "/run/x",
  runRoot: "/run",
  runtime: { path: "/usr/bin/runc", root: "/run/runtime", args: ["--debug"] },
  rootfs: { kind: "overlay", lower: ["/l/1", "/l/0"], upper: "/u", work: "/w", volatile: true },
  network: bridge,
  terminal: false,
  stdin: true,
  stdinOnce: false,
  log: { path: "/r/container.log", maxSize: 0, maxFiles: 1 },
  exitFile: "/r/exit.json",
  startTimeoutMs: 1000,
};

test("parseConfig: the same value when valid", () => {
  assert.deepEqual(parseConfig(JSON.stringify(valid)), valid);
});

test("parseConfig: null log, host network and a plain directory are taken", () => {
  const config = parseConfig(
    JSON.stringify({ ...valid, log: null, network: { mode: "host" }, rootfs: { kind: "directory" } }),
  );
  assert.equal(config.log, null);
  assert.deepEqual(config.network, { mode: "host" });
});

const hostile: readonly [string, unknown, RegExp][] = [
  ["another version", { ...valid, version: 2 }, /version 2 is not 1/],
  ["an unknown field", { ...valid, more: 1 }, /more: unknown field/],
  ["an id that is a path", { ...valid, id: "../../etc" }, /id: want 64 hex/],
  ["a relative bundle", { ...valid, bundle: "bundle" }, /bundle: want an absolute path/],
  ["dots in a path", { ...valid, exitFile: "/r/../etc/shadow" }, /exitFile: want an absolute path/],
  ["NUL in a path", { ...valid, runDir: "/run/\0x" }, /runDir: want text/],
  [
    "a bridge name with nft syntax",
    { ...valid, network: { ...bridge, bridge: 'x" drop;' } },
    /network\.bridge: want an interface name/,
  ],
  [
    "a long interface name",
    { ...valid, network: { ...bridge, interfaceName: "e".repeat(16) } },
    /network\.interfaceName/,
  ],
  [
    "a host address with nft syntax",
    { ...valid, network: { ...bridge, ports: [{ ...bridge.ports[0], hostIp: "1.2.3.4 }" }] } },
    /ports\[0\]\.hostIp/,
  ],
  ["an address beyond 255", { ...valid, network: { ...bridge, address: "10.300.0.2/16" } }, /network\.address/],
  [
    "a port 0",
    { ...valid, network: { ...bridge, ports: [{ ...bridge.ports[0], hostPort: 0 }] } },
    /ports\[0\]\.hostPort: .*65535, found 0/,
  ],
  [
    "a fractional port",
    { ...valid, network: { ...bridge, ports: [{ ...bridge.ports[0], containerPort: 1.5 }] } },
    /containerPort/,
  ],
  ["no layers", { ...valid, rootfs: { kind: "overlay", lower: [] } }, /rootfs\.lower/],
  ["upper without work", { ...valid, rootfs: { kind: "overlay", lower: ["/a"], upper: "/u" } }, /upper and work/],
  [
    "more ports than anybody publishes",
    { ...valid, network: { ...bridge, ports: Array(2049).fill(bridge.ports[0]) } },
    /at most 2048/,
  ],
  ["zero log files", { ...valid, log: { ...valid.log, maxFiles: 0 } }, /log\.maxFiles/],
  ["a list", [], /want an object/],
];

for (const [name, value, want] of hostile) {
  test(`parseConfig: refused when there is ${name}`, () => {
    assert.throws(
      () => parseConfig(JSON.stringify(value)),
      (error) => isTeuError(error) && want.test(error.message),
    );
  });
}

test("parseConfig: refused when the text is not JSON, has duplicate names, is deep or long", () => {
  for (const text of [
    "",
    "{",
    '{"version":1,"version":1}',
    `${"[".repeat(100)}${"]".repeat(100)}`,
    `"${"x".repeat(600_000)}"`,
  ]) {
    assert.throws(
      () => parseConfig(text),
      (error) => isTeuError(error, "invalid"),
    );
  }
});
