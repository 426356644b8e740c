import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import type { ImageConfig } from "@teu/specs/image";

import type { CreateOptions } from "../create-options.ts";
import { FACTS } from "../spec/testdata/facts.ts";
import { checkContainerName, checkHostname, newContainerId, randomName } from "./names.ts";
import { exposedPorts } from "./ports.ts";
import { resolveSettings } from "./resolve-settings.ts";
import { parseSignal } from "./signals.ts";

const ID = "a1".repeat(32);

function resolve(options: Partial<CreateOptions>, config: Partial<ImageConfig["config"]> = {}) {
  return resolveSettings({
    id: ID,
    options: { image: "i", ...options },
    image: "i",
    imageId: null,
    chainId: null,
    runtime: "teu-runtime",
    facts: FACTS,
    config: {
      os: "linux",
      architecture: "amd64",
      rootfs: { type: "layers", diff_ids: [] },
      config: { Cmd: ["sh"], ...config },
    },
  });
}

test("parseSignal: names, numbers, real-time ones", () => {
  const cases: [string, number][] = [
    ["TERM", 15],
    ["SIGTERM", 15],
    ["sigkill", 9],
    ["15", 15],
    ["RTMIN", 34],
    ["SIGRTMIN+3", 37],
    ["RTMAX-1", 63],
    ["64", 64],
  ];
  for (const [text, want] of cases) assert.equal(parseSignal(text), want, text);
  for (const text of ["", "0", "65", "NOPE", "RTMIN+40", "RTMAX-40", "-1", "9; rm", "toString", "__proto__"])
    assert.throws(() => parseSignal(text), { code: "invalid" }, text);
});

test("checkContainerName: takes made-up names, drops the slash of Docker's API, refuses what could be a path", () => {
  for (let attempt = 0; attempt < 30; attempt++) {
    const name = randomName(attempt);
    assert.equal(checkContainerName(name), name);
  }
  assert.equal(checkContainerName("/web"), "web");
  for (const name of ["", ".", "..", "../x", "a/b", "-x", "a b", "a\0b", "ä", "x".repeat(256)])
    assert.throws(() => checkContainerName(name), { code: "invalid" }, name);
});

test("newContainerId: 64 hex digits whose short form is no number", () => {
  for (let round = 0; round < 200; round++) assert.match(newContainerId(), /^(?=.{0,11}[a-f])[0-9a-f]{64}$/);
});

test("checkHostname: RFC 1123", () => {
  for (const name of ["a", "web-1", "a.b.example"]) assert.equal(checkHostname(name), name);
  for (const name of ["", "-a", "a-", "a_b", "a b", "a\nb", "x".repeat(65)])
    assert.throws(() => checkHostname(name), { code: "invalid" }, name);
});

test("exposedPorts: what is not a port is dropped, ranges are bounded", () => {
  assert.deepEqual(exposedPorts(["80", "80/tcp", "53/UDP", "8000-8002/tcp", "x", "0", "70000", "80/sctp", "../80"]), [
    "80/tcp",
    "53/udp",
    "8000/tcp",
    "8001/tcp",
    "8002/tcp",
  ]);
  assert.ok(exposedPorts(["1-65535"]).length <= 1001);
});

test("resolveSettings: entrypoint and command as Docker combines them", () => {
  const image = { Entrypoint: ["/entry"], Cmd: ["a", "b"] };
  const cases: { name: string; options: Partial<CreateOptions>; want: [string[], string[]] }[] = [
    { name: "image's", options: {}, want: [["/entry"], ["a", "b"]] },
    { name: "command", options: { command: ["x"] }, want: [["/entry"], ["x"]] },
    { name: "entrypoint drops the image's command", options: { entrypoint: ["/e"] }, want: [["/e"], []] },
    { name: "both", options: { entrypoint: ["/e"], command: ["x"] }, want: [["/e"], ["x"]] },
    { name: "no entrypoint", options: { entrypoint: [], command: ["x"] }, want: [[], ["x"]] },
  ];
  for (const { name, options, want } of cases) {
    const { settings } = resolve(options, image);
    assert.deepEqual([settings.entrypoint, settings.command], want, name);
  }
  assert.throws(() => resolve({ entrypoint: [] }, image), { code: "invalid" });
  assert.throws(() => resolve({ command: ["a\0b"] }), { code: "invalid" });
});

test("resolveSettings: environment, later wins, a bare name removes", () => {
  const { settings } = resolve({ env: ["A=2", "B", "C=x=y", "E="] }, { Env: ["A=1", "B=1", "D=1"] });
  assert.deepEqual(settings.env, ["A=2", "D=1", "C=x=y", "E="]);
  for (const entry of ["=x", "", "A=b\0c"]) assert.throws(() => resolve({ env: [entry] }), { code: "invalid" }, entry);
});

test("resolveSettings: an image's odd config neither throws where it means nothing nor escapes", () => {
  const odd = resolve(
    {},
    {
      Env: ["", "=", "=x", "NOVALUE", "OK=1", "Z=\0"],
      WorkingDir: "../../etc",
      ExposedPorts: { "../x": {} },
      Labels: { "x\n": "y" },
    },
  ).settings;
  assert.deepEqual(odd.env, ["OK=1"]);
  assert.equal(odd.workdir, "/etc");
  assert.deepEqual(odd.exposed, []);
  assert.equal(resolve({}, { WorkingDir: "" }).settings.workdir, "/");
  for (const config of [
    { WorkingDir: "/a\0b" },
    { StopSignal: "SIGNOPE" },
    { Volumes: { relative: {} } },
    { Volumes: { "/": {} } },
    { Volumes: { "/../..": {} } },
  ]) {
    assert.throws(() => resolve({}, config), { code: "invalid" }, JSON.stringify(config));
  }
});

test("resolveSettings: mounts are cleaned, image volumes are added where the user has none", () => {
  const { mounts } = resolve(
    {
      volumes: [
        { kind: "bind", source: "/src/../host", target: "/data/../../d/" },
        { kind: "volume", name: "vol", target: "/v", readOnly: true },
        { kind: "tmpfs", target: "/t", options: ["size=1m"] },
      ],
    },
    { Volumes: { "/d": {}, "/fresh/": {} } },
  ).settings;
  assert.deepEqual(mounts.slice(0, 3), [
    { kind: "bind", source: "/host", target: "/d", readOnly: false, propagation: "rprivate" },
    { kind: "volume", name: "vol", anonymous: false, target: "/v", readOnly: true },
    { kind: "tmpfs", target: "/t", options: ["size=1m"] },
  ]);
  assert.equal(mounts.length, 4);
  assert.partialDeepStrictEqual(mounts[3], { kind: "volume", anonymous: true, target: "/fresh" });
});

test("resolveSettings: refuses what makes no sense or would reach the host", () => {
  const cases: { name: string; options: Partial<CreateOptions>; code: string }[] = [
    { name: "relative source", options: { volumes: [{ kind: "bind", source: "a", target: "/a" }] }, code: "invalid" },
    { name: "relative target", options: { volumes: [{ kind: "bind", source: "/a", target: "a" }] }, code: "invalid" },
    { name: "mount on root", options: { volumes: [{ kind: "bind", source: "/a", target: "/x/.." }] }, code: "invalid" },
    { name: "zero byte", options: { volumes: [{ kind: "bind", source: "/a\0", target: "/b" }] }, code: "invalid" },
    {
      name: "volume name as path",
      options: { volumes: [{ kind: "volume", name: "../x", target: "/b" }] },
      code: "invalid",
    },
    {
      name: "two on one target",
      options: {
        volumes: [
          { kind: "tmpfs", target: "/b" },
          { kind: "tmpfs", target: "/b/" },
        ],
      },
      code: "invalid",
    },
    {
      name: "tmpfs option",
      options: { volumes: [{ kind: "tmpfs", target: "/b", options: ["mpol=bind:0"] }] },
      code: "invalid",
    },
    {
      name: "propagation",
      options: { volumes: [{ kind: "bind", source: "/a", target: "/b", propagation: "x" }] },
      code: "invalid",
    },
    { name: "little memory", options: { resources: { memory: 1024 } }, code: "invalid" },
    { name: "swap without memory", options: { resources: { memorySwap: 1 << 30 } }, code: "invalid" },
    { name: "swap below memory", options: { resources: { memory: 64 << 20, memorySwap: 32 << 20 } }, code: "invalid" },
    { name: "too many cpus", options: { resources: { cpus: 1000 } }, code: "invalid" },
    { name: "cpus and quota", options: { resources: { cpus: 1, cpuQuota: 5000 } }, code: "invalid" },
    { name: "cpuset", options: { resources: { cpusetCpus: "0;1" } }, code: "invalid" },
    { name: "unknown capability", options: { capAdd: ["FLY"] }, code: "invalid" },
    { name: "capability the host lacks", options: { capAdd: ["SYS_RESOURCE"] }, code: "unsupported" },
    { name: "restart", options: { restart: "always" }, code: "unsupported" },
    { name: "unknown network", options: { network: "mynet" as "none" }, code: "unsupported" },
    { name: "foreign pid namespace", options: { pid: "container:x" }, code: "unsupported" },
    { name: "host sysctl", options: { sysctls: { "kernel.core_pattern": "|/x" } }, code: "invalid" },
    { name: "sysctl with dots", options: { sysctls: { "net./../../x": "1" } }, code: "invalid" },
    {
      name: "net sysctl on the host's network",
      options: { network: "host", sysctls: { "net.ipv4.ip_forward": "1" } },
      code: "invalid",
    },
    { name: "security option", options: { securityOpt: ["nonsense=1"] }, code: "invalid" },
    { name: "missing profile", options: { securityOpt: ["seccomp=/nowhere.json"] }, code: "not-found" },
    { name: "apparmor", options: { securityOpt: ["apparmor=docker-default"] }, code: "unsupported" },
    { name: "add-host", options: { addHost: ["name:not-an-ip"] }, code: "invalid" },
    { name: "add-host with newline", options: { addHost: ["a\nb:1.2.3.4"] }, code: "invalid" },
    { name: "dns", options: { dns: ["1.2.3.4\nsearch x"] }, code: "invalid" },
    { name: "port", options: { publish: [{ containerPort: 70_000 }] }, code: "invalid" },
    { name: "host address", options: { publish: [{ containerPort: 80, hostIp: "::1" }] }, code: "unsupported" },
    { name: "ulimit", options: { ulimits: [{ name: "nofile", soft: 5, hard: 4 }] }, code: "invalid" },
    { name: "unknown ulimit", options: { ulimits: [{ name: "x", soft: 5, hard: 5 }] }, code: "invalid" },
    { name: "oom score", options: { oomScoreAdj: -500 }, code: "unsupported" },
    { name: "device outside /dev", options: { devices: [{ source: "/etc/passwd" }] }, code: "invalid" },
    { name: "device with dots", options: { devices: [{ source: "/dev/../etc/passwd" }] }, code: "invalid" },
    { name: "log driver", options: { log: { driver: "syslog" as "none" } }, code: "unsupported" },
    { name: "log files without size", options: { log: { maxFiles: 3 } }, code: "invalid" },
  ];
  for (const { name, options, code } of cases) assert.throws(() => resolve(options), { code }, name);
});

test("resolveSettings: published ports only on a bridge, warned of otherwise; -P publishes what is exposed", () => {
  const none = resolve({ network: "none", publish: [{ containerPort: 80 }] });
  assert.deepEqual(none.settings.publish, []);
  assert.equal(none.warnings.length, 1);
  const all = resolve(
    { publishAll: true, publish: [{ containerPort: 80, hostPort: 8080 }] },
    { ExposedPorts: { "80/tcp": {}, "53/udp": {} } },
  );
  assert.deepEqual(
    all.settings.publish.map((port) => [port.containerPort, port.protocol, port.hostPort]),
    [
      [80, "tcp", 8080],
      [53, "udp", 0],
    ],
  );
});

test("resolveSettings: a seccomp profile's text is kept, from a file or as it is", () => {
  const directory = mkdtempSync(join(tmpdir(), "teu-seccomp-"));
  try {
    const file = join(directory, "p.json");
    writeFileSync(file, '{"defaultAction":"SCMP_ACT_ALLOW"}');
    for (const option of [`seccomp=${file}`, 'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}']) {
      assert.deepEqual(resolve({ securityOpt: [option, "no-new-privileges"] }).settings.seccomp, {
        kind: "profile",
        text: '{"defaultAction":"SCMP_ACT_ALLOW"}',
      });
    }
    writeFileSync(file, "[]");
    assert.throws(() => resolve({ securityOpt: [`seccomp=${file}`] }), { code: "invalid" });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
