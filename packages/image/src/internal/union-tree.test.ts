// The last line of defence below every walk: one component at a time, which is never a symlink, and never leads up.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { O_RDONLY } from "@teu/files/constants";
import { closeFd, openat2, openDirectory } from "@teu/files/open";

import { ONE_COMPONENT } from "../layer/layer-tree.ts";
import { openChild, UnionTree } from "./union-tree.ts";

let directory = "";
before(() => {
  directory = mkdtempSync(join(tmpdir(), "teu-union-"));
  for (const path of ["outside", "root", "root/dir", "root/dir/deep"]) mkdirSync(join(directory, path));
  writeFileSync(join(directory, "outside/secret"), "secret");
  symlinkSync("../outside", join(directory, "root/up"));
  symlinkSync("dir", join(directory, "root/inside"));
  symlinkSync("/proc/self/root", join(directory, "root/magic"));
  symlinkSync("../outside/secret", join(directory, "root/file"));
});
after(() => rmSync(directory, { recursive: true, force: true }));

test("openChild: a directory, and no symlink wherever it leads, nor anything above", () => {
  using root = openDirectory(join(directory, "root"));
  closeFd(openChild(root.fd, "dir"));
  for (const name of ["up", "inside", "magic", "file", "..", "dir/../..", "inside/deep", "/"])
    assert.throws(() => openChild(root.fd, name), name);
});

test("ONE_COMPONENT: the kernel follows no symlink on the way, nor at the end", () => {
  using root = openDirectory(join(directory, "root"));
  closeFd(openat2(root.fd, "dir/deep", O_RDONLY, 0, ONE_COMPONENT));
  for (const path of ["file", "up/secret", "inside/deep", "magic/proc", "../outside/secret", "/etc"])
    assert.throws(() => openat2(root.fd, path, O_RDONLY, 0, ONE_COMPONENT), path);
});

test("UnionTree: symlinks are resolved as a container would, absolute ones from the root", () => {
  const root = join(directory, "other");
  mkdirSync(join(root, "a/b"), { recursive: true });
  mkdirSync(join(root, "b/c"), { recursive: true });
  symlinkSync("/b", join(root, "a/absolute"));
  symlinkSync("b", join(root, "a/relative"));
  symlinkSync("../../../../b", join(root, "a/above"));
  using tree = new UnionTree([root]);
  const where = (path: string): string => {
    const { dir, name } = tree.resolve(path, true);
    return `${dir.path}/${name}`;
  };
  assert.equal(where("a/absolute"), "/b");
  assert.equal(where("a/absolute/c"), "/b/c");
  assert.equal(where("a/relative"), "/a/b");
  assert.equal(where("a/above/c"), "/b/c");
});
