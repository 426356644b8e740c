import assert from "node:assert/strict";
import { test } from "node:test";
import { STATX_ATTR_MOUNT_ROOT } from "@teu/sys/constants/fs";
import { fakeHost } from "../testing/fake-host.ts";
import { kernelTrees } from "./rootfs.ts";

const MOUNTINFO = `22 1 0:20 / /proc rw shared:5 - proc proc rw
23 1 0:21 / /sys rw shared:6 - sysfs sysfs rw
24 1 0:22 / /dev rw - devtmpfs udev rw
25 1 0:23 / /srv/odd\\040name/proc rw - proc proc rw
26 1 0:24 / /bundle/rootfs/proc rw - proc proc rw
27 1 0:24 / /bundle/rootfs2/sys rw - sysfs sysfs rw
`;

test("kernelTrees: procfs and sysfs outside the root, the last first", () => {
  assert.deepEqual(kernelTrees(MOUNTINFO, "/bundle/rootfs"), [
    "/bundle/rootfs2/sys",
    "/srv/odd name/proc",
    "/sys",
    "/proc",
  ]);
});

test("create: without a mount namespace the container is in the host's, its root a tree that is attached nowhere", () => {
  const host = fakeHost();
  host.configure((spec) => ({ ...spec, linux: { ...spec.linux, namespaces: [{ type: "pid" }, { type: "uts" }] } }));
  host.failOn("mount.pivotRoot", 1, "EINVAL");
  assert.equal(host.run(["create", "-b", "/bundle", "--pid-file", "/run/pid", "c1"]).err, "");
  const init = host.world.process(Number(host.kernel.fs.readTextAt(-100, "/run/pid", 20)), "test");
  assert.equal(init.namespaces["mnt"], host.world.self.namespaces["mnt"] ?? 0);
  assert.equal(init.root.mount.parent, null);
  assert.notEqual(init.root.mount, host.world.rootMount);
  const mounted = (path: string): boolean =>
    (host.kernel.fs.statAt(-100, `/bundle/rootfs${path}`, 0).attributes & STATX_ATTR_MOUNT_ROOT) !== 0;
  assert.deepEqual(["", "/proc", "/dev", "/sys"].map(mounted), [false, false, false, false]);
  assert.equal(host.run(["start", "c1"]).err, "");
  assert.equal(host.run(["exec", "-d", "--pid-file", "/run/exec.pid", "c1", "/bin/daemon"]).err, "");
  const second = host.world.process(Number(host.kernel.fs.readTextAt(-100, "/run/exec.pid", 20)), "test");
  assert.equal(second.root.mount, init.root.mount);
  host.writeFile("/mounts.json", JSON.stringify([{ destination: "/x", type: "tmpfs" }]));
  assert.match(host.run(["mounts", "add", "c1", "/mounts.json"]).err, /without a mount namespace of its own/);
});

test("create --no-pivot: no pivot_root", () => {
  const host = fakeHost();
  host.failOn("mount.pivotRoot", 1, "EINVAL");
  assert.equal(host.run(["create", "--no-pivot", "-b", "/bundle", "c1"]).code, 0);
  assert.match(host.run(["create", "-b", "/bundle", "c2"]).err, /EINVAL/);
});
