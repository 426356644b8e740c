// Masks on the fake kernel: whose null device it is, and names that are exchanged while they are masked.

import assert from "node:assert/strict";
import { test } from "node:test";
import { AT_FDCWD, O_DIRECTORY, O_PATH, S_IFCHR, S_IFREG } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { type FakeKernel, createFakeKernel } from "@teu/sys/fake/fake-kernel";
import { maskPaths, openNull, readonlyPaths } from "./masks.ts";
import { RootfsPath } from "./rootfs-path.ts";

function rootfs(): { fake: FakeKernel; root: RootfsPath; kernel: Kernel } {
  const fake = createFakeKernel();
  for (const name of ["secret", "other"]) fake.writeFile(`/r/vol/${name}`, name);
  const fd = fake.kernel.fs.openat(AT_FDCWD, "/r", O_PATH | O_DIRECTORY, 0);
  return { fake, kernel: fake.kernel, root: new RootfsPath(fake.kernel, fd) };
}

/** The kernel with somebody who puts another file in place of /r/vol/secret just before a mount is attached. */
function withExchange({ fs, mount, ...kernel }: Kernel): Kernel {
  const moveMount: typeof mount.moveMount = (...given) => {
    fs.renameAt(AT_FDCWD, "/r/vol/secret", AT_FDCWD, "/r/vol/hidden", 0);
    fs.renameAt(AT_FDCWD, "/r/vol/other", AT_FDCWD, "/r/vol/secret", 0);
    return mount.moveMount(...given);
  };
  return { ...kernel, fs, mount: { ...mount, moveMount } };
}

test("openNull: denied when /dev/null is another device or a file", () => {
  const { kernel } = rootfs();
  kernel.fs.close(openNull(kernel));
  kernel.fs.unlinkAt(AT_FDCWD, "/dev/null", 0);
  kernel.fs.mknodAt(AT_FDCWD, "/dev/null", S_IFCHR | 0o666, 1, 5);
  assert.throws(() => openNull(kernel), { code: "denied" });
  const { fake } = rootfs();
  fake.kernel.fs.unlinkAt(AT_FDCWD, "/dev/null", 0);
  fake.kernel.fs.mknodAt(AT_FDCWD, "/dev/null", S_IFREG | 0o666, 0, 0);
  assert.throws(() => openNull(fake.kernel), { code: "denied" });
});

test("maskPaths, readonlyPaths: done when nobody interferes, a missing path is passed over", () => {
  const { kernel, root } = rootfs();
  maskPaths(kernel, root, ["/vol/secret", "/vol/none"], openNull(kernel), []);
  readonlyPaths(kernel, root, ["/vol/other", "/vol/none"]);
});

test("maskPaths: denied when the name is exchanged meanwhile", () => {
  const { kernel, root } = rootfs();
  const nullFd = openNull(kernel);
  assert.throws(() => maskPaths(withExchange(kernel), root, ["/vol/secret"], nullFd, []), /was replaced/);
});

test("readonlyPaths: denied when the name is exchanged meanwhile", () => {
  const { kernel, root } = rootfs();
  assert.throws(() => readonlyPaths(withExchange(kernel), root, ["/vol/secret"]), /was replaced/);
});
