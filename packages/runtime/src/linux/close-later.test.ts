import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeKernel } from "@teu/sys/fake/fake-kernel";
import { AT_FDCWD, O_PATH } from "@teu/sys/constants/fs";
import { closingLater, ranges } from "./close-later.ts";

test("ranges: neighbours together, in order", () => {
  assert.deepEqual(ranges([7, 3, 4, 9, 5]), [
    [3, 5],
    [7, 7],
    [9, 9],
  ]);
  assert.deepEqual(ranges([]), []);
});

test("closingLater: descriptors stay open until closeAll, others are not touched", () => {
  const { kernel } = createFakeKernel({});
  const later = closingLater(kernel);
  const [one, kept, other] = [0, 1, 2].map(() => kernel.fs.openat(AT_FDCWD, "/", O_PATH, 0));
  for (const fd of [one ?? -1, other ?? -1]) later.kernel.fs.close(fd);
  assert.equal(kernel.fs.fstat(one ?? -1).nlink > 0, true);
  later.closeAll();
  for (const fd of [one ?? -1, other ?? -1]) assert.throws(() => kernel.fs.fstat(fd), /EBADF/);
  kernel.fs.fstat(kept ?? -1);
});

test("closingLater: closes at once when many are open already", () => {
  const { kernel } = createFakeKernel({});
  const later = closingLater(kernel);
  const fds = Array.from({ length: 120 }, () => kernel.fs.openat(AT_FDCWD, "/", O_PATH, 0));
  for (const fd of fds) later.kernel.fs.close(fd);
  const isOpen = (fd: number): boolean => {
    try {
      kernel.fs.fstat(fd);
      return true;
    } catch {
      return false;
    }
  };
  assert.equal(fds.filter(isOpen).length, 96);
  later.closeAll();
  assert.equal(fds.filter(isOpen).length, 0);
});
