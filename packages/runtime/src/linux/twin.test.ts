import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeKernel } from "@teu/sys/fake/fake-kernel";
import { encode } from "@teu/sys/fake/inode";
import type { Kernel } from "@teu/sys/kernel";
import { sysError } from "@teu/sys/sys-error";
import { Twin } from "./twin.ts";

test("Twin: what the child said is heard although it ended with an answer unread", () => {
  const { simulation: _, ...fake } = createFakeKernel().kernel;
  const said = encode(
    JSON.stringify({ error: { code: "invalid", op: "mount rootfs", message: "is it a directory?" } }),
  );
  // The kernel tells of the reset first, once, and then gives what is in the queue.
  let reads = 0;
  const read = (): Uint8Array => {
    if (reads++ === 0) throw sysError("ECONNRESET", "read", "fd 5");
    return said;
  };
  const kernel: Kernel = { ...fake, fs: { ...fake.fs, read } };
  const twin = Twin.start(kernel, { flags: 0 }, [], function* () {
    yield { step: "ready" };
  });
  assert.throws(() => twin.receive(), /cannot mount rootfs: is it a directory\?/);
});
