import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";

import { parseSpec } from "@teu/specs/runtime-parse";

import type { CreateOptions } from "../create-options.ts";
import { resolveSettings } from "../settings/resolve-settings.ts";
import { buildSpec } from "./build-spec.ts";
import type { HostDevice } from "./devices.ts";
import type { HostFacts } from "./host-facts.ts";
import { FACTS } from "./testdata/facts.ts";

const ID = "a1".repeat(32);
const SDA: HostDevice = {
  path: "/dev/sda",
  type: "b",
  major: 8,
  minor: 0,
  fileMode: 0o660,
  uid: 0,
  gid: 6,
  access: "r",
};

function specOf(
  options: Partial<CreateOptions>,
  more: { uid?: number; devices?: HostDevice[]; facts?: HostFacts; labels?: Record<string, string> } = {},
) {
  const facts = more.facts ?? FACTS;
  const { settings } = resolveSettings({
    id: ID,
    options: { image: "i", ...options },
    image: "i",
    imageId: null,
    chainId: null,
    runtime: "teu-runtime",
    facts,
    config: {
      os: "linux",
      architecture: "amd64",
      rootfs: { type: "layers", diff_ids: [] },
      config: { Cmd: ["sh"], Env: ["PATH=/bin"], ...(more.labels === undefined ? {} : { Labels: more.labels }) },
    },
  });
  return buildSpec({
    id: ID,
    settings,
    facts,
    devices: more.devices ?? [],
    identity: {
      uid: more.uid ?? 0,
      gid: more.uid ?? 0,
      additionalGids: more.uid === undefined ? [] : [10, 1000],
      home: "/root",
    },
    paths: { hosts: "/R/hosts", hostname: "/R/hostname", resolvConf: "/R/resolv.conf", volume: (name) => `/V/${name}` },
  });
}

const GOLDENS: Readonly<Record<string, () => unknown>> = {
  default: () => specOf({}),
  limits: () =>
    specOf({
      resources: {
        memory: 64 << 20,
        cpus: 1.5,
        cpuShares: 512,
        cpusetCpus: "0-1",
        pidsLimit: 100,
        memoryReservation: 32 << 20,
      },
      ulimits: [
        { name: "nofile", soft: 100, hard: 200 },
        { name: "core", soft: -1, hard: -1 },
      ],
      shmSize: 1 << 20,
      oomScoreAdj: 100,
    }),
  user: () =>
    specOf(
      {
        user: "app",
        capDrop: ["ALL"],
        capAdd: ["net_bind_service"],
        securityOpt: ["no-new-privileges"],
        tty: true,
        hostname: "web",
        domainname: "example",
      },
      { uid: 1000 },
    ),
  privileged: () =>
    specOf(
      { privileged: true, pid: "host", ipc: "host", uts: "host", network: "host", cgroupns: "host" },
      { devices: [SDA] },
    ),
  mounts: () =>
    specOf(
      {
        readOnly: true,
        sysctls: { "net.ipv4.ip_forward": "1" },
        devices: [{ source: "/dev/sda", permissions: "r" }],
        volumes: [
          { kind: "bind", source: "/src", target: "/a/b/c", readOnly: true },
          { kind: "volume", name: "vol", target: "/a" },
          { kind: "tmpfs", target: "/dev/shm", options: ["size=1m", "exec"] },
          { kind: "bind", source: "/my-hosts", target: "/etc/hosts", propagation: "rslave" },
        ],
      },
      { devices: [SDA] },
    ),
  unconfined: () => specOf({ securityOpt: ["seccomp=unconfined", "systempaths=unconfined"] }),
};

for (const [name, make] of Object.entries(GOLDENS)) {
  test(`buildSpec: golden "${name}" (TEU_UPDATE_GOLDENS=1 renews)`, () => {
    const file = new URL(`testdata/${name}.json`, import.meta.url);
    const text = `${JSON.stringify(make(), null, 1)}\n`;
    if (process.env["TEU_UPDATE_GOLDENS"] === "1") writeFileSync(file, text);
    assert.equal(text, readFileSync(file, "utf8"));
    // What is written must be what runtimes take.
    parseSpec(text);
  });
}

test("buildSpec: labels and image contents never become annotations or anything else outside the process", () => {
  const spec = specOf(
    { labels: { "run.oci.handler": "krun", "org.systemd.property.x": "y" } },
    { labels: { "run.oci.keep_original_groups": "1" } },
  );
  assert.equal(spec.annotations, undefined);
  assert.equal(spec.hooks, undefined);
  assert.ok(!JSON.stringify(spec).includes("run.oci"));
});

test("buildSpec: defaults are cut to the host, wishes are refused", () => {
  const [limit] = specOf({}).process?.rlimits ?? [];
  assert.deepEqual(limit, { type: "RLIMIT_NOFILE", soft: 1024, hard: 20_000 });
  assert.throws(() => specOf({ ulimits: [{ name: "nofile", soft: 1024, hard: 1_048_576 }] }), { code: "unsupported" });
  const able: HostFacts = { ...FACTS, capabilities: [...FACTS.capabilities, "CAP_SYS_RESOURCE"] };
  assert.equal(specOf({}, { facts: able }).process?.rlimits?.[0]?.hard, 524_288);
  const noSwap = specOf({ resources: { memory: 64 << 20 } }, { facts: { ...FACTS, swapLimit: false } });
  assert.deepEqual(noSwap.linux?.resources?.memory, { limit: 64 << 20 });
});
