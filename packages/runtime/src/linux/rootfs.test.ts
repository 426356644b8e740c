import assert from "node:assert/strict";
import { test } from "node:test";
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

test("create --no-pivot: no pivot_root", () => {
  const host = fakeHost();
  host.failOn("mount.pivotRoot", 1, "EINVAL");
  assert.equal(host.run(["create", "--no-pivot", "-b", "/bundle", "c1"]).code, 0);
  assert.match(host.run(["create", "-b", "/bundle", "c2"]).err, /EINVAL/);
});
