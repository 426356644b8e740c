// What a container's files take on disk, also when the container does its best to confuse who counts.

import assert from "node:assert/strict";
import { linkSync, mkdtempSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { createScope } from "@teu/base/scope";
import { O_RDONLY } from "@teu/files/constants";
import { mkdirAt } from "@teu/files/entries";
import { openat2, openDirectory, OwnedFd } from "@teu/files/open";
import { removeTree } from "@teu/files/remove-tree";

import { directoryUsage } from "./directory.ts";

const BLOCK = 512;

test("directoryUsage: every file once, links to elsewhere not followed, deeper than any path", async () => {
  const directory = mkdtempSync(join(tmpdir(), "teu-usage-"));
  try {
    const tree = join(directory, "tree");
    mkdirSync(tree);
    writeFileSync(join(directory, "outside"), Buffer.alloc(1 << 20));
    symlinkSync(directory, join(tree, "link"));
    writeFileSync(join(tree, "file"), Buffer.alloc(100_000));
    linkSync(join(tree, "file"), join(tree, "again"));
    const file = statSync(join(tree, "file")).blocks * BLOCK;
    const flat = directoryUsage(tree);
    assert.equal(flat.inodes, 3, "root, link, file");
    assert.ok(flat.bytes >= file && flat.bytes < file + 64 * 1024, String(flat.bytes));

    let at = openDirectory(tree);
    for (let level = 0; level < 3000; level++) {
      using above = at;
      mkdirAt(above.fd, "d", 0o700);
      at = new OwnedFd(openat2(above.fd, "d", O_RDONLY));
    }
    at[Symbol.dispose]();
    assert.equal(directoryUsage(tree).inodes, 3 + 1024);
  } finally {
    await removeTree(createScope(), directory);
  }
});
