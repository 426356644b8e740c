import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeKernel } from "@teu/sys/fake/fake-kernel";
import { RootfsPath, cleanPath, components } from "./rootfs-path.ts";

function rootfs() {
  const fake = createFakeKernel();
  fake.makeDirectory("/host/secret");
  fake.makeDirectory("/r/real/deep");
  fake.makeLink("/r/absolute", "/host/secret");
  fake.makeLink("/r/relative", "../../../host/secret");
  fake.makeLink("/r/inside", "real/deep");
  fake.makeLink("/r/loop", "loop");
  fake.makeLink("/r/file", "/host/secret/planted");
  return { fake, root: new RootfsPath(fake.kernel, fake.kernel.fs.openat(-100, "/r", 0o10200000, 0)) };
}

for (const path of ["/absolute/x", "/relative/x", "/../../host/secret/x", "/absolute"]) {
  test(`RootfsPath.openTarget: stays inside for ${path}`, () => {
    const { fake, root } = rootfs();
    root.openTarget(path, "directory");
    assert.equal(fake.exists("/host/secret/x"), false);
    assert.equal(fake.exists("/r/host/secret"), true, "made inside instead");
  });
}

test("RootfsPath.openTarget: tells whether a link was on the way", () => {
  const { root } = rootfs();
  assert.equal(root.openTarget("/real/deep", "directory").followedLink, false);
  assert.equal(root.openTarget("/inside", "directory").followedLink, true);
  assert.equal(root.openTarget("/real/new", "directory").followedLink, false);
});

test("RootfsPath.openTarget: a file is made, with its parents, and never through a planted link", () => {
  const { fake, root } = rootfs();
  root.openTarget("/a/b/f", "file");
  assert.equal(fake.exists("/r/a/b/f"), true);
  assert.throws(() => root.openTarget("/file", "file"));
  assert.equal(fake.exists("/host/secret/planted"), false);
});

test("RootfsPath.openTarget: a loop of links is an error", () => {
  assert.throws(() => rootfs().root.openTarget("/loop/x", "directory"));
});

test("RootfsPath: no fd is left open by making directories", () => {
  const { fake, root } = rootfs();
  const before = fake.leaks().fds.length;
  fake.kernel.fs.close(root.openTarget("/one/two/three", "directory").fd);
  fake.kernel.fs.close(root.openTarget("/absolute/y", "directory").fd);
  assert.equal(fake.leaks().fds.length, before);
});

test("components, cleanPath: lexical, never above the root", () => {
  assert.deepEqual(components("a//./b/../c"), ["a", "c"]);
  assert.equal(cleanPath("../../x/"), "/x");
  assert.equal(cleanPath(""), "/");
});
