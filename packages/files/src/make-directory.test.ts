import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { makeDirectory } from "./make-directory.ts";

function inTemp(body: (directory: string) => void): void {
  const directory = mkdtempSync(join(tmpdir(), "teu-make-"));
  try {
    body(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test("makeDirectory: makes missing parents with the mode, and says what was new", () => {
  inTemp((directory) => {
    const deep = join(directory, "a/b/c");
    assert.equal(makeDirectory(deep, 0o700), true);
    for (const path of ["a", "a/b", "a/b/c"]) assert.equal(statSync(join(directory, path)).mode & 0o7777, 0o700, path);
    assert.equal(makeDirectory(deep, 0o755), false);
    assert.equal(statSync(deep).mode & 0o7777, 0o700);
    assert.equal(makeDirectory(join(deep, "x/"), 0o700), true);
  });
});

test("makeDirectory: follows a link to a directory, refuses files on the way and at the end", () => {
  inTemp((directory) => {
    symlinkSync(directory, join(directory, "link"));
    assert.equal(makeDirectory(join(directory, "link/new"), 0o700), true);
    writeFileSync(join(directory, "file"), "");
    assert.throws(() => makeDirectory(join(directory, "file"), 0o700), { code: "EEXIST" });
    assert.throws(() => makeDirectory(join(directory, "file/a/b"), 0o700), { code: "ENOTDIR" });
    symlinkSync("nowhere", join(directory, "broken"));
    assert.throws(() => makeDirectory(join(directory, "broken/a"), 0o700), { code: "EEXIST" });
  });
});

test("makeDirectory: returns where the kernel makes no names, at any depth", () => {
  for (const path of ["/proc/nowhere", "/proc/nowhere/a/b", "/proc/self/fd/a/b", "/sys/nowhere/a"])
    assert.throws(() => makeDirectory(path, 0o700), { code: /^(ENOENT|EACCES|EPERM|EROFS)$/ }, path);
});

test(
  "makeDirectory: passes on what the system says",
  { skip: process.getuid?.() === 0 ? "root may do it" : false },
  () => {
    inTemp((directory) => {
      chmodSync(directory, 0o500);
      assert.throws(() => makeDirectory(join(directory, "a"), 0o700), { code: "EACCES" });
      chmodSync(directory, 0o700);
    });
  },
);
