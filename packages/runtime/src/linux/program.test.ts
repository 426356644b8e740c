import assert from "node:assert/strict";
import { test } from "node:test";
import { type FakeKernel, createFakeKernel } from "@teu/sys/fake/fake-kernel";
import { lookUpProgram } from "./program.ts";

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
