import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeKernel } from "@teu/sys/fake/fake-kernel";
import type { Kernel } from "@teu/sys/kernel";
import { withoutOpenat2 } from "../testing/without-openat2.ts";
import { RootfsPath, cleanPath, components } from "./rootfs-path.ts";

/** Every case on a kernel with openat2 and on one without. */
const KERNELS = [
  ["", (kernel: Kernel): Kernel => kernel],
  [" (no openat2)", (kernel: Kernel): Kernel => withoutOpenat2(kernel, "ENOSYS")],
] as const;

function rootfs(kernelOf: (kernel: Kernel) => Kernel) {
  const fake = createFakeKernel();
  fake.makeDirectory("/host/secret");
  fake.makeDirectory("/r/real/deep");
  fake.makeLink("/r/absolute", "/host/secret");
  fake.makeLink("/r/relative", "../../../host/secret");
  fake.makeLink("/r/inside", "real/deep");
  fake.makeLink("/r/loop", "loop");
  fake.makeLink("/r/file", "/host/secret/planted");
  return { fake, root: new RootfsPath(kernelOf(fake.kernel), fake.kernel.fs.openat(-100, "/r", 0o10200000, 0)) };
}

for (const [suffix, kernelOf] of KERNELS) {
  for (const path of ["/absolute/x", "/relative/x", "/../../host/secret/x", "/absolute"]) {
    test(`RootfsPath.openTarget: stays inside for ${path}${suffix}`, () => {
      const { fake, root } = rootfs(kernelOf);
      root.openTarget(path, "directory");
      assert.equal(fake.exists("/host/secret/x"), false);
      assert.equal(fake.exists("/r/host/secret"), true, "made inside instead");
    });
  }

  test(`RootfsPath.openTarget: tells whether a link was on the way${suffix}`, () => {
    const { root } = rootfs(kernelOf);
    assert.equal(root.openTarget("/real/deep", "directory").followedLink, false);
    assert.equal(root.openTarget("/inside", "directory").followedLink, true);
    assert.equal(root.openTarget("/real/new", "directory").followedLink, false);
  });

  test(`RootfsPath.openTarget: a file is made, with its parents, and never through a planted link${suffix}`, () => {
    const { fake, root } = rootfs(kernelOf);
    root.openTarget("/a/b/f", "file");
    assert.equal(fake.exists("/r/a/b/f"), true);
    assert.throws(() => root.openTarget("/file", "file"));
    assert.equal(fake.exists("/host/secret/planted"), false);
  });

  test(`RootfsPath.openTarget: a loop of links is an error${suffix}`, () => {
    assert.throws(() => rootfs(kernelOf).root.openTarget("/loop/x", "directory"));
  });

  test(`RootfsPath: no fd is left open by making directories${suffix}`, () => {
    const { fake, root } = rootfs(kernelOf);
    const before = fake.leaks().fds.length;
    fake.kernel.fs.close(root.openTarget("/one/two/three", "directory").fd);
    fake.kernel.fs.close(root.openTarget("/absolute/y", "directory").fd);
    assert.equal(fake.leaks().fds.length, before);
  });
}

test("components, cleanPath: lexical, never above the root", () => {
  assert.deepEqual(components("a//./b/../c"), ["a", "c"]);
  assert.equal(cleanPath("../../x/"), "/x");
  assert.equal(cleanPath(""), "/");
});
