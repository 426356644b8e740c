// ContainerLog on the fake kernel: lines, partial lines, rotation, a disk that refuses.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeKernel } from "@teu/sys/fake/fake-kernel";
import type { FakeKernel } from "@teu/sys/fake/fake-kernel";
import type { LogLine } from "../protocol.ts";
import { ContainerLog } from "./container-log.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function open(maxSize = 0, maxFiles = 1): { fake: FakeKernel; log: ContainerLog; warnings: string[] } {
  const fake = createFakeKernel();
  fake.makeDirectory("/c");
  const warnings: string[] = [];
  const log = new ContainerLog(fake.kernel, { path: "/c/log", maxSize, maxFiles }, (text) => warnings.push(text));
  return { fake, log, warnings };
}

function lines(fake: FakeKernel, path = "/c/log"): string[] {
  const text = fake.kernel.fs.readTextAt(-100, path, 1 << 20);
  const entries = text.split("\n").filter((line) => line !== "");
  return entries.map((line) => JSON.parse(line) as LogLine).map((line) => `${line.stream[3]}:${line.log}`);
}

test("ContainerLog: whole lines at once, a beginning when it has an end", () => {
  const { fake, log } = open();
  log.write("stdout", bytes("a\nb"));
  assert.deepEqual(lines(fake), ["o:a\n"]);
  log.write("stderr", bytes("e\n"));
  log.write("stdout", bytes("c\nd"));
  assert.deepEqual(lines(fake), ["o:a\n", "e:e\n", "o:bc\n"]);
  log.finish();
  assert.deepEqual(lines(fake), ["o:a\n", "e:e\n", "o:bc\n", "o:d"]);
  log.close();
  assert.deepEqual(fake.leaks().fds, []);
});

test("ContainerLog: a line of 40,000 bytes in any portions is three", () => {
  const { fake, log } = open();
  const data = bytes(`${"x".repeat(40_000)}\n`);
  for (let at = 0; at < data.length; at += 7777) log.write("stdout", data.subarray(at, at + 7777));
  assert.deepEqual(
    lines(fake).map((line) => line.length - 2),
    [16_384, 16_384, 7233],
  );
});

test("ContainerLog: rotates before a file gets too large, and never to an empty one", () => {
  const { fake, log } = open(100, 2);
  for (let i = 0; i < 5; i++) log.write("stdout", bytes(`line ${i}\n`));
  assert.deepEqual(lines(fake), ["o:line 4\n"]);
  assert.deepEqual(lines(fake, "/c/log.1"), ["o:line 3\n"]);
  assert.ok(!fake.exists("/c/log.2"));
});

test("ContainerLog: goes on after a write that failed, and says how much is lost", () => {
  const { fake, log, warnings } = open();
  fake.failOn("fs.write", 1, "ENOSPC");
  log.write("stdout", bytes("lost\n"));
  log.write("stdout", bytes("kept\n"));
  assert.deepEqual(lines(fake), ["o:kept\n"]);
  assert.equal(warnings.length, 2);
  assert.match(warnings[0] ?? "", /output is lost from now on: .*ENOSPC/);
  assert.match(warnings[1] ?? "", /^5 bytes of the container's output are not in its log$/);
});

test("ContainerLog: throws when it cannot begin", () => {
  const fake = createFakeKernel();
  assert.throws(
    () => new ContainerLog(fake.kernel, { path: "/nowhere/log", maxSize: 0, maxFiles: 1 }, () => {}),
    /ENOENT/,
  );
});

// The shim runs as root: what stands in the log's place must not choose where it writes, nor make it wait.
for (const [name, plant] of [
  ["a symbolic link", (fake: FakeKernel) => fake.kernel.fs.symlinkAt("/c/else", -100, "/c/log")],
  ["a FIFO", (fake: FakeKernel) => fake.kernel.fs.mkfifoAt(-100, "/c/log", 0o600)],
  ["a device", (fake: FakeKernel) => fake.kernel.fs.mknodAt(-100, "/c/log", 0o020666, 1, 3)],
] as const) {
  test(`ContainerLog: refused when there is ${name} in its place`, () => {
    const fake = createFakeKernel();
    fake.makeDirectory("/c");
    plant(fake);
    const make = (): ContainerLog =>
      new ContainerLog(fake.kernel, { path: "/c/log", maxSize: 0, maxFiles: 1 }, () => {});
    assert.throws(make, (error: Error) => /log|ELOOP|ENXIO/.test(error.message));
    assert.equal(fake.exists("/c/else"), false);
    assert.deepEqual(fake.leaks().fds, []);
  });
}

test("ContainerLog: many short lines at once do not make a file larger than its limit, and none is lost between files", () => {
  const { fake, log } = open(10_000, 3);
  log.write("stdout", bytes(Array.from({ length: 3000 }, (_, i) => `${i}\n`).join("")));
  for (const path of ["/c/log", "/c/log.1", "/c/log.2"]) assert.ok(fake.kernel.fs.statAt(-100, path, 0).size <= 10_000);
  const kept = ["/c/log.2", "/c/log.1", "/c/log"].flatMap((path) => lines(fake, path));
  const numbers = kept.map((line) => Number(line.slice(2)));
  assert.deepEqual(
    numbers,
    numbers.map((_, i) => 3000 - numbers.length + i),
  );
  log.close();
});
