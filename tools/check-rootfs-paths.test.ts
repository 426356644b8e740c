// Plants calls by path in files that handle a root file system, and entries that nothing needs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Allowed, checkRootfsPaths } from "./check-rootfs-paths.ts";
import { parseSource } from "./check/sources.ts";

const FILE = "packages/runtime/src/linux/x.ts";
const check = (body: string, allowed: Allowed = {}, path = FILE): string[] =>
  checkRootfsPaths([parseSource(path, `import type { RootfsPath } from "./rootfs-path.ts";\n${body}\n`)], allowed);

const PLANTED: readonly string[] = [
  'fs.openat(AT_FDCWD, "/etc/passwd", 0, 0);',
  "kernel.fs.openat(root.fd, path, 0, 0);",
  "fs.mkdirAt(parent, name, 0);",
  "fs.symlinkAt(goal, parent, name);",
  'fs.renameAt(a, "", b, name, 0);',
  'kernel.mount.mount("", path, "", 0, "");',
  "mount.openTree(AT_FDCWD, step.source, 0);",
  'mount.moveMount(tree, "", dir, name, 0);',
  "kernel.process.chdir(cwd);",
  "f(plan.rootfs);",
];

for (const body of PLANTED) {
  test(`checkRootfsPaths: sees ${body}`, () => {
    const problems = check(body);
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? "", /x\.ts:2: .*RootfsPath/);
  });
}

test("checkRootfsPaths: calls on a descriptor alone, through the module, of other objects, and in tests are free", () => {
  assert.deepEqual(check('mount.moveMount(tree, "", target, "", 0); fs.fstat(fd); fs.chownAt(fd, "", 0, 0, 0);'), []);
  assert.deepEqual(check("root.openTarget(path); map.mount(a, b); kernel.poll.add(a, b);"), []);
  assert.deepEqual(check(PLANTED[0] ?? "", {}, "packages/runtime/src/linux/x.test.ts"), []);
  assert.deepEqual(check(PLANTED[0] ?? "", {}, "packages/engine/src/x.ts"), []);
});

test("checkRootfsPaths: in a file that has no root only openat2 and mounts by path", () => {
  const other = (body: string): string[] => checkRootfsPaths([parseSource(FILE, body)], {});
  assert.deepEqual(other('fs.openat(AT_FDCWD, "/proc/self/cgroup", 0, 0);'), []);
  assert.equal(other("fs.openat2(root, path, 0, 0, 0);").length, 1);
  assert.equal(other("openScoped(kernel, root, path, 0, 0);").length, 1);
  assert.equal(other("other(kernel, root, path, 0, 0);").length, 0);
  assert.equal(other('mount.mount("", path, "", 0, "");').length, 1);
});

test("checkRootfsPaths: what the table allows is free, what it allows in vain is a problem", () => {
  const allowed = { [FILE]: { "chdir cwd": "because" } };
  assert.deepEqual(check("process.chdir(cwd);", allowed), []);
  assert.match(check("", allowed)[0] ?? "", /chdir cwd is allowed .*, but not there/);
});
