import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { parseDevice, parseLogOptions, parseUlimit } from "./container-values.ts";
import { readBuildArgs, readEnv, readLabels } from "./name-values.ts";
import { parsePublish } from "./publish.ts";
import { parseMount, parseTmpfs, parseVolume } from "./volume.ts";

const refuses = (read: () => unknown): void =>
  assert.throws(read, (error) => isTeuError(error) && error.detail["usage"] === true);

const PORTS: readonly (readonly [string, object[]])[] = [
  ["80", [{ containerPort: 80, protocol: "tcp" }]],
  ["8080:80", [{ containerPort: 80, protocol: "tcp", hostPort: 8080 }]],
  ["127.0.0.1:8080:80/udp", [{ containerPort: 80, protocol: "udp", hostIp: "127.0.0.1", hostPort: 8080 }]],
  ["127.0.0.1::80", [{ containerPort: 80, protocol: "tcp", hostIp: "127.0.0.1" }]],
  [
    "9000-9001:80-81",
    [
      { containerPort: 80, protocol: "tcp", hostPort: 9000 },
      { containerPort: 81, protocol: "tcp", hostPort: 9001 },
    ],
  ],
];
for (const [text, want] of PORTS) test(`parsePublish: ${text}`, () => assert.deepEqual(parsePublish(text), want));
for (const text of ["", "x", "0", "65536", "80:", "1-2:3", "[::1]:80:80", "80/sctp", "81-80", "1.2.3:80:80"])
  test(`parsePublish: refuses ${JSON.stringify(text)}`, () => refuses(() => parsePublish(text)));

const VOLUMES: readonly (readonly [string, object])[] = [
  ["/a:/b", { kind: "bind", source: "/a", target: "/b", readOnly: false }],
  ["/a:/b:ro,rslave", { kind: "bind", source: "/a", target: "/b", readOnly: true, propagation: "rslave" }],
  ["./rel:/b:z", { kind: "bind", source: `${process.cwd()}/rel`, target: "/b", readOnly: false }],
  ["name:/b:ro", { kind: "volume", name: "name", target: "/b", readOnly: true }],
  ["/only", { kind: "volume", target: "/only" }],
];
for (const [text, want] of VOLUMES) test(`parseVolume: ${text}`, () => assert.deepEqual(parseVolume(text), want));
for (const text of ["", "a:b", "/a:/", "/a:/b:wat", "/a:/b:ro:x", ":/b"])
  test(`parseVolume: refuses ${JSON.stringify(text)}`, () => refuses(() => parseVolume(text)));

test("parseMount and parseTmpfs", () => {
  assert.deepEqual(parseMount("type=bind,source=/a,target=/b,readonly"), {
    kind: "bind",
    source: "/a",
    target: "/b",
    readOnly: true,
  });
  assert.deepEqual(parseMount("src=v,dst=/b"), { kind: "volume", name: "v", target: "/b", readOnly: false });
  assert.deepEqual(parseMount("type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1770"), {
    kind: "tmpfs",
    target: "/t",
    options: ["size=1048576", "mode=1770"],
  });
  assert.deepEqual(parseTmpfs("/t:size=1m,noexec"), { kind: "tmpfs", target: "/t", options: ["size=1m", "noexec"] });
  for (const text of [
    "type=bind,target=/b",
    "type=wat,target=/b",
    "type=bind,source=/a",
    "type=bind,sorce=/a,target=/b",
    "type=volume,target=/b,volume-opt=x",
  ])
    refuses(() => parseMount(text));
});

test("parseUlimit, parseDevice, parseLogOptions", () => {
  assert.deepEqual(parseUlimit("nofile=1:2"), { name: "nofile", soft: 1, hard: 2 });
  assert.deepEqual(parseUlimit("core=-1"), { name: "core", soft: -1, hard: -1 });
  refuses(() => parseUlimit("nofile=2:1"));
  refuses(() => parseUlimit("nofile"));
  assert.deepEqual(parseDevice("/dev/a:/dev/b:rw"), { source: "/dev/a", target: "/dev/b", permissions: "rw" });
  assert.deepEqual(parseDevice("/dev/a:r"), { source: "/dev/a", permissions: "r" });
  refuses(() => parseDevice("dev"));
  assert.deepEqual(parseLogOptions(undefined, []), {});
  assert.deepEqual(parseLogOptions("json-file", ["max-size=1k", "max-file=3"]), {
    log: { driver: "json-file", maxSize: 1024, maxFiles: 3 },
  });
  refuses(() => parseLogOptions("syslog", []));
  refuses(() => parseLogOptions(undefined, ["tag=x"]));
});

test("readEnv, readLabels, readBuildArgs: bare names take the value from here", async () => {
  assert.deepEqual(await readEnv(["A=1", "B", "C", "D="], [], { B: "b" }), ["A=1", "B=b", "D="]);
  assert.deepEqual(await readLabels(["a", "b=c=d"], []), { a: "", b: "c=d" });
  assert.deepEqual(readBuildArgs(["A=1", "B", "C"], { B: "b" }), { A: "1", B: "b" });
  await assert.rejects(readEnv(["=x"], [], {}), (error) => isTeuError(error, "invalid"));
  await assert.rejects(readEnv([], ["/does/not/exist"], {}), (error) => isTeuError(error, "not-found"));
});
