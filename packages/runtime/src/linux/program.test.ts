import assert from "node:assert/strict";
import { test } from "node:test";
import { AT_FDCWD, S_IFCHR } from "@teu/sys/constants/fs";
import { type FakeKernel, createFakeKernel } from "@teu/sys/fake/fake-kernel";
import { environmentWithHome, lookUpProgram } from "./program.ts";

const ENV = ["PATH=/opt/bin:/bin"];

function host(): FakeKernel {
  const fake = createFakeKernel();
  fake.writeFile("/bin/tool", "", 0o755);
  fake.makeDirectory("/opt/bin");
  return fake;
}

test("lookUpProgram: by PATH, and as it is with a slash", () => {
  const { kernel } = host();
  assert.equal(lookUpProgram(kernel, "tool", ENV), "/bin/tool");
  assert.equal(lookUpProgram(kernel, "/bin/tool", ENV), "/bin/tool");
});

test("lookUpProgram: runc's texts when there is none", () => {
  const { kernel } = host();
  assert.throws(() => lookUpProgram(kernel, "none", ENV), /exec: "none": executable file not found in \$PATH/);
  assert.throws(() => lookUpProgram(kernel, "/none", ENV), /exec: "\/none": stat \/none: no such file or directory/);
  assert.throws(() => lookUpProgram(kernel, "/bin", ENV), /exec: "\/bin": is a directory/);
});

test("lookUpProgram: found by its access alone when a filter refuses statx", () => {
  const fake = host();
  for (const nth of [1, 2]) fake.failOn("fs.statAt", nth, "EPERM");
  assert.equal(lookUpProgram(fake.kernel, "tool", ENV), "/bin/tool");
});

test("lookUpProgram: left to execve when a filter refuses every question", () => {
  const fake = host();
  fake.failOn("fs.statAt", 1, "ENOSYS");
  fake.failOn("fs.accessAt", 1, "EPERM");
  assert.equal(lookUpProgram(fake.kernel, "/anything", ENV), "/anything");
});

test("environmentWithHome: by number from /etc/passwd; given ones stay", () => {
  const fake = host();
  fake.writeFile("/etc/passwd", "1000:x:0:0::/trap:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n");
  assert.deepEqual(environmentWithHome(fake.kernel, { env: ["A=b"], uid: 1000 }), ["A=b", "HOME=/home/user"]);
  assert.deepEqual(environmentWithHome(fake.kernel, { env: ["HOME=/x"], uid: 1000 }), ["HOME=/x"]);
  assert.deepEqual(environmentWithHome(fake.kernel, { env: ["HOME="], uid: 7 }), ["HOME=/"]);
});

test("environmentWithHome: a device or FIFO in place of /etc/passwd is not opened", () => {
  const fake = host();
  fake.makeDirectory("/etc");
  fake.kernel.fs.mknodAt(AT_FDCWD, "/etc/passwd", S_IFCHR | 0o666, 1, 11);
  const readTextAt: typeof fake.kernel.fs.readTextAt = (_, path) => assert.fail(`${path} was read`);
  const kernel = { ...fake.kernel, fs: { ...fake.kernel.fs, readTextAt } };
  assert.deepEqual(environmentWithHome(kernel, { env: [], uid: 0 }), ["HOME=/"]);
});
