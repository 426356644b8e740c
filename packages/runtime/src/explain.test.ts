// Golden transcripts: every kernel step of a start, for several configurations. Renew with UPDATE_GOLDENS=1.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import type { Spec } from "@teu/specs/runtime";
import type { FakeOptions } from "@teu/sys/fake/fake-kernel";
import { addLink } from "@teu/sys/fake/route";
import { transcribe } from "@teu/sys/transcript/transcript";
import { type FakeHost, fakeHost } from "./testing/fake-host.ts";

interface Case {
  readonly name: string;
  readonly options?: FakeOptions;
  readonly configure?: (spec: Spec) => Spec;
  readonly prepare?: (host: FakeHost) => void;
  readonly words: readonly string[];
}

const MAPS = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
const withLinux = (spec: Spec, linux: Spec["linux"]): Spec => ({ ...spec, linux: { ...spec.linux, ...linux } });
const CREATE = ["create", "--bundle", "/bundle", "--pid-file", "/run/pid", "box"];

const CASES: readonly Case[] = [
  { name: "create-default", words: CREATE },
  {
    name: "create-host-mounts",
    words: CREATE,
    configure: (spec) =>
      withLinux(spec, { namespaces: (spec.linux?.namespaces ?? []).filter(({ type }) => type !== "mount") }),
  },
  {
    name: "create-unified-limits",
    options: { cgroups: [""] },
    words: CREATE,
    configure: (spec) =>
      withLinux(spec, {
        cgroupsPath: "/box",
        resources: {
          memory: { limit: 67_108_864, swap: 134_217_728 },
          cpu: { shares: 512, quota: 50_000, period: 100_000 },
          pids: { limit: 20 },
        },
        namespaces: [...(spec.linux?.namespaces ?? []), { type: "cgroup" }],
      }),
  },
  {
    name: "create-user-namespace",
    words: CREATE,
    configure: (spec) =>
      withLinux(
        {
          ...spec,
          mounts: [
            ...(spec.mounts ?? []),
            { destination: "/data", source: "/srv/data", type: "bind", options: ["rbind", "ro"] },
          ],
        },
        {
          uidMappings: MAPS,
          gidMappings: MAPS,
          namespaces: [...(spec.linux?.namespaces ?? []), { type: "user" }],
        },
      ),
    prepare: (host) => host.makeDirectory("/srv/data"),
  },
  {
    name: "create-idmapped",
    words: CREATE,
    configure: (spec) => ({
      ...spec,
      mounts: [
        ...(spec.mounts ?? []),
        {
          destination: "/data",
          source: "/srv/data",
          type: "bind",
          options: ["rbind", "ridmap"],
          uidMappings: MAPS,
          gidMappings: MAPS,
        },
        {
          destination: "/more",
          source: "/srv/data",
          type: "bind",
          options: ["idmap=uids=0-100000-65536;gids=0-100000-65536", "bind"],
        },
        { destination: "/l", source: "/srv/l", type: "bind", options: ["bind", "copy-symlink"] },
      ],
    }),
    prepare: (host) => {
      host.makeDirectory("/srv/data");
      host.makeLink("/srv/l", "data");
    },
  },
  {
    name: "create-terminal",
    options: { listeners: ["/run/console.sock"] },
    words: ["create", "--bundle", "/bundle", "--console-socket", "/run/console.sock", "box"],
    configure: (spec) => ({
      ...spec,
      process: { ...spec.process, cwd: "/", terminal: true, consoleSize: { height: 24, width: 80 } },
    }),
  },
  {
    name: "run-hooks-seccomp",
    words: ["run", "--bundle", "/bundle", "box"],
    configure: (spec) =>
      withLinux(
        {
          ...spec,
          process: { ...spec.process, cwd: "/", args: ["true"], user: { uid: 1000, gid: 1000, additionalGids: [5] } },
          hooks: {
            createRuntime: [{ path: "/usr/bin/hook" }],
            createContainer: [{ path: "/usr/bin/hook" }],
            startContainer: [{ path: "/bin/true" }],
            poststop: [{ path: "/usr/bin/hook" }],
          },
        },
        {
          seccomp: {
            defaultAction: "SCMP_ACT_ERRNO",
            syscalls: [{ names: ["read", "write"], action: "SCMP_ACT_ALLOW" }],
          },
        },
      ),
  },
  {
    name: "create-joins-and-binds",
    words: CREATE,
    configure: (spec) =>
      withLinux(
        {
          ...spec,
          mounts: [
            ...(spec.mounts ?? []),
            { destination: "/etc/hosts", source: "/srv/hosts", type: "bind", options: ["bind", "rro", "rprivate"] },
          ],
        },
        {
          namespaces: [
            { type: "pid" },
            { type: "mount" },
            { type: "ipc", path: "/run/ns/ipc" },
            { type: "network", path: "/run/ns/net" },
            { type: "uts" },
          ],
          sysctl: { "net.ipv4.ip_forward": "1" },
          rootfsPropagation: "private",
          devices: [{ type: "c", path: "/dev/fuse", major: 10, minor: 229, fileMode: 0o660 }],
        },
      ),
    prepare: (host) => {
      host.writeFile("/srv/hosts", "127.0.0.1 localhost\n");
      host.makeLink("/run/ns/ipc", "ipc:[7]");
      host.makeLink("/run/ns/net", "net:[8]");
    },
  },
  {
    name: "exec",
    words: ["exec", "box", "/bin/true"],
    prepare: (host) => void host.run(["run", "-d", "-b", "/bundle", "box"]),
  },
  {
    name: "exec-affinity",
    words: ["exec", "box", "/bin/true"],
    configure: (spec) =>
      withLinux(
        { ...spec, process: { ...spec.process, cwd: "/", execCPUAffinity: { initial: "0-1", final: "3" } } },
        { memoryPolicy: { mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_STATIC_NODES"] } },
      ),
    prepare: (host) => void host.run(["run", "-d", "-b", "/bundle", "box"]),
  },
  {
    name: "create-joins-user-namespace",
    words: CREATE,
    configure: (spec) =>
      withLinux(spec, {
        namespaces: [
          { type: "user", path: "/run/ns/user" },
          { type: "network", path: "/run/ns/net" },
          { type: "pid" },
          { type: "mount" },
          { type: "ipc" },
          { type: "uts" },
        ],
      }),
    prepare: (host) => {
      host.makeLink("/run/ns/user", "user:[7]");
      host.makeLink("/run/ns/net", "net:[8]");
    },
  },
  {
    name: "create-net-devices",
    words: CREATE,
    configure: (spec) => withLinux(spec, { netDevices: { eth1: { name: "lan" } } }),
    prepare: (host) => addLink(host.world, "eth1", 7, ["10.0.0.2/24"], true),
  },
  {
    name: "create-seccomp-notify",
    options: { listeners: ["/run/agent.sock"] },
    words: CREATE,
    configure: (spec) =>
      withLinux(spec, {
        seccomp: {
          defaultAction: "SCMP_ACT_ALLOW",
          listenerPath: "/run/agent.sock",
          syscalls: [{ names: ["mount"], action: "SCMP_ACT_NOTIFY" }],
        },
      }),
  },
  { name: "start", words: ["start", "box"], prepare: (host) => void host.run(CREATE) },
  {
    name: "delete-force",
    words: ["delete", "--force", "box"],
    prepare: (host) => void host.run(["run", "-d", "-b", "/bundle", "box"]),
  },
];

for (const { name, options, configure, prepare, words } of CASES) {
  test(`explain: transcript of ${name} is the recorded one`, () => {
    const host = fakeHost(options);
    if (configure !== undefined) host.configure(configure);
    prepare?.(host);
    const lines: string[] = [];
    const kernel = transcribe(host.kernel, (line) => lines.push(line), {
      normalize: (line) => line.replace(/\/proc\/\d+/g, "/proc/PID"),
    });
    const outcome = host.run(words, kernel);
    assert.deepEqual(outcome, { code: 0, out: "", err: "" });
    const path = new URL(`../testdata/explain/${name}.txt`, import.meta.url);
    const text = `${lines.join("\n")}\n`;
    if (process.env["UPDATE_GOLDENS"] === "1") writeFileSync(path, text);
    assert.equal(text, readFileSync(path, "utf8"));
  });
}
