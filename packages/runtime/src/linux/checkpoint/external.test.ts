import assert from "node:assert/strict";
import { test } from "node:test";
import type { Spec } from "@teu/specs/runtime";
import { plainSpec } from "../../testing/fake-host.ts";
import type { CgroupLayout } from "../cgroup/layout.ts";
import { type StartPlan, planStart } from "../start-plan.ts";
import { dumpMounts, externalPlaces, planJoins, restoreMounts } from "./external.ts";
import { type MountEntry, parseMountinfo } from "./facts.ts";

const V1: CgroupLayout = {
  kind: "legacy",
  hierarchies: [
    { controllers: "cpu,cpuacct", mount: "/sys/fs/cgroup/cpu,cpuacct", own: "/" },
    { controllers: "memory", mount: "/sys/fs/cgroup/memory", own: "/" },
  ],
};
const V2: CgroupLayout = { kind: "unified", hierarchies: [{ controllers: "", mount: "/sys/fs/cgroup", own: "/a/b" }] };

function plan(change: (spec: Spec) => Spec, cgroups: CgroupLayout = V1): StartPlan {
  return planStart(change(plainSpec()), "box", "/bundle", { cgroups });
}

const withMounts =
  (...mounts: NonNullable<Spec["mounts"]>) =>
  (spec: Spec): Spec => ({ ...spec, mounts, linux: { ...spec.linux, maskedPaths: ["/proc/kcore", "/proc/acpi"] } });

const DATA = { destination: "/var/run/data", type: "bind", source: "/srv/data", options: ["rbind"] };
const FILE = { destination: "/etc/hosts", type: "bind", source: "hosts", options: ["bind"] };
const CGROUP = { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup" };

const entry = (id: number, point: string, root = "/"): MountEntry => ({ id, root, point });

test("restoreMounts: binds with what lies below them, cgroups of v1, masks", () => {
  const host = [entry(1, "/"), entry(2, "/srv/data"), entry(3, "/srv/data/deep"), entry(4, "/srv/database")];
  assert.deepEqual(restoreMounts(externalPlaces(plan(withMounts(DATA, FILE, CGROUP))), host), [
    { key: "/var/run/data", value: "/srv/data" },
    { key: "/var/run/data/deep", value: "/srv/data/deep" },
    { key: "/etc/hosts", value: "/bundle/hosts" },
    { key: "/sys/fs/cgroup/cpu,cpuacct", value: "/sys/fs/cgroup/cpu,cpuacct/box" },
    { key: "/sys/fs/cgroup/memory", value: "/sys/fs/cgroup/memory/box" },
    { key: "/dev/null", value: "/dev/null" },
  ]);
});

test("restoreMounts: the cgroup mount of v2 is one", () => {
  assert.deepEqual(restoreMounts(externalPlaces(plan(withMounts(CGROUP), V2)), []).slice(0, 1), [
    { key: "/sys/fs/cgroup", value: "/sys/fs/cgroup/a/box" },
  ]);
});

test("dumpMounts: real mount points under the names of config.json; only what is mounted; a mask only of a file", () => {
  const all = [
    entry(10, "/"),
    entry(11, "/run/data"),
    entry(12, "/run/data/deep"),
    entry(13, "/proc/kcore", "/null"),
    entry(14, "/proc/acpi"),
    entry(15, "/run/data/own"),
  ];
  const found = new Map([
    ["/var/run/data", all[1] as MountEntry],
    ["/proc/kcore", all[3] as MountEntry],
    ["/proc/acpi", all[4] as MountEntry],
    // A file system of the container's own on top of the bind is none of the bind's.
    ["/var/run/data/own", all[5] as MountEntry],
  ]);
  assert.deepEqual(dumpMounts(externalPlaces(plan(withMounts(DATA, FILE))), found, all), [
    { key: "/run/data", value: "/var/run/data" },
    { key: "/run/data/deep", value: "/var/run/data/deep" },
    { key: "/proc/kcore", value: "/dev/null" },
  ]);
});

test("externalPlaces: in a user namespace the devices are binds", () => {
  const maps = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  const namespaces = [...(plainSpec().linux?.namespaces ?? []), { type: "user" as const }];
  const places = externalPlaces(
    plan((spec) => ({ ...spec, linux: { ...spec.linux, namespaces, uidMappings: maps, gidMappings: maps } })),
  );
  assert.deepEqual(
    places.find(({ path }) => path === "/dev/null"),
    { path: "/dev/null", name: "/dev/null", source: "/dev/null", recursive: false, mask: false },
  );
  assert.equal(
    externalPlaces(plan((spec) => spec)).find(({ path }) => path === "/dev/null"),
    undefined,
  );
});

test("externalPlaces: an idmapped mount is refused, since CRIU would bind it without its map", () => {
  const maps = [{ containerID: 0, hostID: 1000, size: 1 }];
  const mapped = plan(withMounts({ ...DATA, uidMappings: maps, gidMappings: maps }));
  assert.throws(() => externalPlaces(mapped), { code: "unsupported", message: /mounts\[0\].*idmapped/ });
});

test("planJoins: network and pid are inherited, ipc and uts entered, what CRIU cannot is refused", () => {
  const joined = (type: "network" | "pid" | "ipc" | "uts" | "cgroup" | "time"): StartPlan =>
    plan((spec) => ({
      ...spec,
      linux: {
        ...spec.linux,
        namespaces: [...(spec.linux?.namespaces ?? []).filter((one) => one.type !== type), { type, path: "/ns" }],
      },
    }));
  assert.deepEqual(planJoins(joined("network").namespaces).inherited, [{ type: "network", path: "/ns" }]);
  assert.deepEqual(planJoins(joined("pid").namespaces).inherited, [{ type: "pid", path: "/ns" }]);
  assert.deepEqual(planJoins(joined("ipc").namespaces).entered, [{ kind: "ipc", path: "/ns" }]);
  assert.deepEqual(planJoins(joined("uts").namespaces).entered, [{ kind: "uts", path: "/ns" }]);
  assert.throws(() => planJoins(joined("cgroup").namespaces), { code: "unsupported" });
  const hosts = plan((spec) => ({ ...spec, hostname: "", linux: { ...spec.linux, namespaces: [] } }));
  assert.throws(() => planJoins(hosts.namespaces), { code: "unsupported", message: /mount namespace of its own/ });
});

test("parseMountinfo: ids, roots, and points with their escapes", () => {
  const text =
    "36 35 98:0 /a\\040b /mnt\\011x rw,noatime master:1 - ext3 /dev/root rw\n37 35 0:5 /null /proc/kcore rw - devtmpfs x rw\n";
  assert.deepEqual(parseMountinfo(text), [
    { id: 36, root: "/a b", point: "/mnt\tx" },
    { id: 37, root: "/null", point: "/proc/kcore" },
  ]);
});
