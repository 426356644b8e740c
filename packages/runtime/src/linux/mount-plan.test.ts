import assert from "node:assert/strict";
import { test } from "node:test";
import type { Mount, Spec } from "@teu/specs/runtime";
import {
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  MS_PRIVATE,
  MS_SLAVE,
} from "@teu/sys/constants/mount";
import { parseMountOptions } from "./mount-options.ts";
import { mountWarnings, planMounts } from "./mount-plan.ts";

const plan = (...mounts: Mount[]) => planMounts({ ociVersion: "1.3.0", mounts } satisfies Spec, "/bundle");

test("parseMountOptions: attributes, recursion, propagation and data are told apart", () => {
  const options = parseMountOptions([
    "rbind",
    "ro",
    "nosuid",
    "rro",
    "rslave",
    "size=1m",
    "sync",
    "defaults",
    "newinstance",
  ]);
  assert.deepEqual([options.bind, options.recursive], [true, true]);
  assert.equal(options.attributes.set, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
  assert.equal(options.recursiveAttributes.set, MOUNT_ATTR_RDONLY);
  assert.deepEqual([options.propagation, options.propagationRecursive], [MS_SLAVE, true]);
  assert.deepEqual([options.superFlags, options.data], [["sync"], ["size=1m", "newinstance"]]);
});

test("parseMountOptions: several file system options in one string, with quoted commas left alone", () => {
  assert.deepEqual(parseMountOptions(["size=64k,mode=700", 'context="a:c1,c2",nr_inodes=5', ","]).data, [
    "size=64k",
    "mode=700",
    'context="a:c1,c2"',
    "nr_inodes=5",
  ]);
});

test("parseMountOptions: the later one wins", () => {
  assert.equal(parseMountOptions(["ro", "rw"]).attributes.set, 0);
  assert.equal(parseMountOptions(["rw", "ro"]).attributes.clear, 0);
  assert.equal(parseMountOptions(["strictatime", "noatime"]).attributes.set, MOUNT_ATTR_NOATIME);
  assert.equal(parseMountOptions(["shared", "private"]).propagation, MS_PRIVATE);
});

const REFUSED: readonly { readonly name: string; readonly mount: Mount; readonly path: RegExp }[] = [
  {
    name: "tmpfs on /proc (CVE-2019-16884)",
    mount: { destination: "/proc", type: "tmpfs" },
    path: /mounts\[0\].destination/,
  },
  {
    name: "bind of something else on /proc",
    mount: { destination: "/proc", type: "bind", source: "/tmp" },
    path: /procfs/,
  },
  { name: "anything inside /proc", mount: { destination: "/proc/self/attr", type: "tmpfs" }, path: /inside \/proc/ },
  { name: "inside /proc by ..", mount: { destination: "/x/../proc/sys", type: "tmpfs" }, path: /inside \/proc/ },
  { name: "the root", mount: { destination: "/..", type: "tmpfs" }, path: /root.path/ },
  { name: "a bind without source", mount: { destination: "/a", type: "bind" }, path: /source/ },
  {
    name: "a bind with a word that is no option",
    mount: { destination: "/a", type: "bind", source: "/b", options: ["bind", "nosiud"] },
    path: /options/,
  },
  { name: "no type", mount: { destination: "/a", source: "x" }, path: /type/ },
];
for (const { name, mount, path } of REFUSED) {
  test(`planMounts: invalid for ${name}`, () => assert.throws(() => plan(mount), path));
}

test("planMounts: allowed on files of /proc and for the host's /proc", () => {
  const steps = plan(
    { destination: "/proc/meminfo", type: "bind", source: "/m" },
    { destination: "/proc", type: "bind", source: "/proc", options: ["rbind"] },
  );
  assert.deepEqual(
    steps.map(({ kind, onProc }) => [kind, onProc]),
    [
      ["bind", true],
      ["bind", false],
    ],
  );
});

test("planMounts: relative sources are the bundle's; proc and sysfs are strict", () => {
  const [bind, proc] = plan(
    { destination: "a", type: "none", source: "data", options: ["bind"] },
    { destination: "/proc/", type: "proc", source: "proc" },
  );
  assert.deepEqual([bind?.source, bind?.destination], ["/bundle/data", "/a"]);
  assert.deepEqual([proc?.strict, proc?.destination], [true, "/proc"]);
});

test("mountWarnings: file system options of a bind are told, not refused", () => {
  const mount = { destination: "/a", type: "bind", source: "/b", options: ["bind", "size=1k", "ro"] };
  const [warning = ""] = mountWarnings(planMounts({ ociVersion: "1.0.0", mounts: [mount] }, "/bundle"));
  assert.match(warning, /mounts\[0\]\.options.*"size=1k" has no effect/);
  assert.deepEqual(
    mountWarnings(planMounts({ ociVersion: "1.0.0", mounts: [{ ...mount, options: ["ro"] }] }, "/b")),
    [],
  );
});
