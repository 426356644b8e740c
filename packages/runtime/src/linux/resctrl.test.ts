import assert from "node:assert/strict";
import { test } from "node:test";
import type { IntelRdt } from "@teu/specs/runtime";
import { RDTGROUP_SUPER_MAGIC } from "@teu/sys/constants/fs";
import { directory, window } from "@teu/sys/fake/inode";
import { Mount } from "@teu/sys/fake/world";
import { sysError } from "@teu/sys/sys-error";
import { type FakeHost, fakeHost } from "../testing/fake-host.ts";
import { holdsSchema, planResctrl } from "./resctrl-plan.ts";

const CASES: readonly (readonly [string, IntelRdt, ReturnType<typeof planResctrl>])[] = [
  ["a class called as the container", {}, { group: "c1", mustExist: false, expected: [], schemata: [], monitor: null }],
  [
    "a named class that is there",
    { closID: "gold" },
    { group: "gold", mustExist: true, expected: [], schemata: [], monitor: null },
  ],
  ["the root class", { closID: "/" }, { group: "", mustExist: true, expected: [], schemata: [], monitor: null }],
  [
    "cache, then bandwidth, then schemata",
    { l3CacheSchema: "L3:0=f\nMB:0=10", memBwSchema: "MB:0=20", schemata: ["L2:0=3"], enableMonitoring: true },
    { group: "c1", mustExist: false, expected: [], schemata: ["L3:0=f", "MB:0=20", "L2:0=3"], monitor: "c1" },
  ],
  [
    "what a named class must hold",
    { closID: "gold", l3CacheSchema: "L3:0=f\nMB:0=10" },
    {
      group: "gold",
      mustExist: false,
      expected: ["L3:0=f", "MB:0=10"],
      schemata: ["L3:0=f", "MB:0=10"],
      monitor: null,
    },
  ],
];
for (const [name, rdt, want] of CASES)
  test(`planResctrl: ${name}`, () => assert.deepEqual(planResctrl(rdt, "c1"), want));

for (const [rdt, subject] of [
  [{ closID: ".." }, "linux.intelRdt.closID"],
  [{ closID: "a/b" }, "linux.intelRdt.closID"],
  [{ closID: "info" }, "linux.intelRdt.closID"],
  [{ memBwSchema: "L3:0=f" }, "linux.intelRdt.memBwSchema"],
  [{ memBwSchema: "MB:0=1\nL3:0=f" }, "linux.intelRdt.memBwSchema"],
  [{ schemata: ["a", "b\nc"] }, "linux.intelRdt.schemata[1]"],
] as const)
  test(`planResctrl: invalid ${JSON.stringify(rdt)}`, () =>
    assert.throws(() => planResctrl(rdt, "c1"), { code: "invalid", subject }));

test("holdsSchema: compares by value and looks only at the caches that are named", () => {
  const text = "    MB:0=100;1=100\n    L3:0=00fff;1=fffff\n";
  assert.ok(holdsSchema(text, "L3:0=fff"));
  assert.ok(holdsSchema(text, "L3:1=fffff;0=fff"));
  assert.ok(!holdsSchema(text, "L3:0=ff"));
  assert.ok(!holdsSchema(text, "L2:0=fff"));
});

/** Mounts a resctrl whose groups have files, and remembers what was written. */
function withResctrl(host: FakeHost, ...groups: string[]): Map<string, string[]> {
  const written = new Map<string, string[]>();
  const entry = (path: string) =>
    window(
      RDTGROUP_SUPER_MAGIC,
      () => "L3:0=ff\n",
      (text) => void written.set(path, [...(written.get(path) ?? []), text.trim()]),
    );
  const group = (path: string) => {
    const made = directory(RDTGROUP_SUPER_MAGIC, { mkdir: (name) => group(`${path}${name}/`), rmdir: () => "" });
    for (const name of ["tasks", "schemata"]) made.add(name, entry(`${path}${name}`));
    made.add(
      "mon_groups",
      directory(RDTGROUP_SUPER_MAGIC, {
        mkdir: (name) => group(`${path}mon_groups/${name}/`),
      }),
    );
    return made;
  };
  const root = group("");
  for (const name of groups) root.add(name, group(`${name}/`));
  host.kernel.fs.mkdirAt(-100, "/sys/fs/resctrl", 0o755);
  const place = host.kernel.fs.openat(-100, "/sys/fs/resctrl", 0, 0);
  const { mount, inode } = host.world.located(place, "test");
  host.kernel.fs.close(place);
  mount.attach(inode, new Mount(root, "resctrl"));
  return written;
}

const withRdt = (host: FakeHost, intelRdt: IntelRdt): void =>
  host.configure((spec) => ({ ...spec, linux: { ...spec.linux, intelRdt } }));

test("intelRdt: unsupported, and nothing is left, when resctrl is not mounted", () => {
  const host = fakeHost();
  withRdt(host, { l3CacheSchema: "L3:0=f" });
  const outcome = host.run(["create", "-b", "/bundle", "c1"]);
  assert.match(outcome.err, /no resctrl file system is mounted here/);
  assert.equal(host.exists("/run/teu/c1"), false);
});

test("intelRdt: class and monitoring group made, process put in, exec too, all gone with the container", () => {
  const host = fakeHost();
  const written = withResctrl(host);
  withRdt(host, { l3CacheSchema: "L3:0=f", schemata: ["MB:0=50"], enableMonitoring: true });
  assert.equal(host.run(["run", "-d", "-b", "/bundle", "c1"]).err, "");
  const { pid } = JSON.parse(host.run(["state", "c1"]).out) as { pid: number };
  assert.deepEqual(written.get("c1/schemata"), ["L3:0=f", "MB:0=50"]);
  assert.deepEqual(written.get("c1/tasks"), [String(pid)]);
  assert.deepEqual(written.get("c1/mon_groups/c1/tasks"), [String(pid)]);
  host.run(["exec", "c1", "/bin/true"]);
  assert.equal(written.get("c1/tasks")?.length, 2);
  assert.equal(host.run(["delete", "--force", "c1"]).err, "");
  assert.equal(host.exists("/sys/fs/resctrl/c1"), false);
});

test("update: schemata are written into the container's class, all at once", () => {
  const host = fakeHost();
  const written = withResctrl(host);
  withRdt(host, { l3CacheSchema: "L3:0=f" });
  host.run(["run", "-d", "-b", "/bundle", "c1"]);
  const update = (...words: string[]): string => host.run(["update", ...words, "c1"]).err;
  assert.equal(update("--l3-cache-schema", "L3:0=3\nMB:0=10", "--mem-bw-schema", "MB:0=20"), "");
  assert.equal(update("--mem-bw-schema", "MB:0=30"), "");
  assert.deepEqual(written.get("c1/schemata"), ["L3:0=f", "L3:0=3\nMB:0=20", "MB:0=30"]);
  assert.match(update("--mem-bw-schema", "L3:0=1"), /--mem-bw-schema.*must be one line that starts with MB:/);
  const { kernel } = host;
  const writeTextAt: typeof kernel.fs.writeTextAt = (dirfd, path, text) => {
    if (path.endsWith("/schemata")) throw sysError("EINVAL", "write", path);
    kernel.fs.writeTextAt(dirfd, path, text);
  };
  const refusing = { ...kernel, fs: { ...kernel.fs, writeTextAt } };
  assert.match(
    host.run(["update", "--l3-cache-schema", "L3:0=0", "c1"], refusing).err,
    /set schemata.*L3:0=0.*refuses/,
  );
});

for (const closID of ["gold", "/"])
  test(`update: schemata of the class ${closID}, which others use too, are not changed`, () => {
    const host = fakeHost();
    const written = withResctrl(host, "gold");
    withRdt(host, { closID });
    assert.equal(host.run(["run", "-d", "-b", "/bundle", "c1"]).err, "");
    assert.match(host.run(["update", "--l3-cache-schema", "L3:0=1", "c1"]).err, /there before the container/);
    assert.deepEqual([written.get("gold/schemata"), written.get("schemata")], [undefined, undefined]);
  });

test("intelRdt: a class that was there stays", () => {
  const host = fakeHost();
  withResctrl(host, "gold");
  withRdt(host, { closID: "gold", l3CacheSchema: "L3:0=ff" });
  assert.equal(host.run(["run", "-d", "-b", "/bundle", "c1"]).err, "");
  host.run(["delete", "--force", "c1"]);
  assert.equal(host.exists("/sys/fs/resctrl/gold"), true);
});

for (const [name, rdt, text] of [
  ["is not there", { closID: "silver" }, /silver.*not there/],
  ["holds something else", { closID: "gold", l3CacheSchema: "L3:0=f" }, /does not hold/],
] as const)
  test(`intelRdt: an error when the named class ${name}`, () => {
    const host = fakeHost();
    withResctrl(host, "gold");
    withRdt(host, rdt);
    const outcome = host.run(["create", "-b", "/bundle", "c1"]);
    assert.equal(outcome.code, 1);
    assert.match(outcome.err, text);
    assert.equal(host.exists("/run/teu/c1"), false);
  });

test("intelRdt: the class is removed again when the container cannot be made", () => {
  const host = fakeHost();
  withResctrl(host);
  withRdt(host, { l3CacheSchema: "L3:0=f", enableMonitoring: true });
  host.failOn("mount.pivotRoot", 1, "EINVAL");
  assert.equal(host.run(["create", "-b", "/bundle", "c1"]).code, 1);
  assert.equal(host.exists("/sys/fs/resctrl/c1"), false);
});
