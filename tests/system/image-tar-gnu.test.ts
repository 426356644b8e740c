// Our tar against GNU tar, both ways, on random trees: what one writes the other must read as the same tree.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import fc from "fast-check";

import { createScope } from "@teu/base/scope";
import { removeTree } from "@teu/files/remove-tree";
import { applyLayer } from "@teu/image/layer/apply";
import { diffOverlay } from "@teu/image/layer/diff";
import { collectBytes } from "@teu/image/verified-stream";
import { MEDIA_TYPES } from "@teu/specs/image";

import { chunked, type LayerItem, layerTar } from "./image-layers.ts";
import { describeTree } from "./image-tree.ts";

const scope = createScope();
// Without the delay GNU tar sets a directory's time when it first leaves it, and loses it when it comes back.
const EXTRACT = ["--delay-directory-restore", "--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf"];

const letter = fc.constantFrom(..."abcxyz.-_ 0é\udcff\udc80*'\"\\\t");
const name = fc
  .oneof(
    { weight: 4, arbitrary: fc.string({ unit: letter, minLength: 1, maxLength: 12 }) },
    { weight: 1, arbitrary: fc.integer({ min: 90, max: 240 }).map((length) => "n".repeat(length)) },
  )
  .filter((text) => text !== "." && text !== ".." && !text.startsWith(".wh."));

const attributes = fc.record({
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.oneof(fc.integer({ min: 0, max: 70_000 }), fc.constant(2_097_152), fc.constant(4_000_000_000)),
  gid: fc.integer({ min: 0, max: 70_000 }),
  mtimeNs: fc.bigInt({ min: -2_000_000_000n * 10n ** 9n, max: 9_000_000_000n * 10n ** 9n }),
  xattrs: fc
    .dictionary(
      fc.string({ unit: fc.constantFrom(..."abcd."), minLength: 1, maxLength: 8 }).map((key) => `user.${key}`),
      fc.uint8Array({ maxLength: 40 }),
      { maxKeys: 3 },
    )
    .map((values) => new Map(Object.entries(values).filter(([, value]) => value.length > 0))),
});

type Shape =
  | { kind: "file"; content: Uint8Array }
  | { kind: "symlink"; linkName: string }
  | { kind: "fifo" }
  | { kind: "device"; major: number; minor: number };

const leaf: fc.Arbitrary<Shape> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("file" as const),
      content: fc.oneof(
        fc.uint8Array({ maxLength: 2000 }),
        fc.integer({ min: 0, max: 3 }).map((n) => new Uint8Array(n * 512)),
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("symlink" as const),
      linkName: fc.oneof(name, fc.constant("x/".repeat(120))),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "fifo" as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("device" as const),
      major: fc.integer({ min: 1, max: 4095 }),
      minor: fc.integer({ min: 0, max: 1_048_575 }),
    }),
  },
);

/** Random entries: directories in up to three levels, leaves in them, hard links to earlier files. */
const tree: fc.Arbitrary<LayerItem[]> = fc
  .record({
    directories: fc.array(fc.tuple(fc.array(name, { minLength: 1, maxLength: 3 }), attributes), { maxLength: 6 }),
    leaves: fc.array(fc.tuple(fc.nat(20), name, leaf, attributes, fc.option(name)), { maxLength: 12 }),
  })
  .map(({ directories, leaves }) => {
    const items = new Map<string, LayerItem>();
    const known = [""];
    for (const [parts, own] of directories) {
      const path = parts.join("/");
      for (let depth = 1; depth <= parts.length; depth++) {
        const full = parts.slice(0, depth).join("/");
        if (!items.has(full)) {
          items.set(full, { name: full, type: "directory", ...own });
          known.push(`${full}/`);
        }
      }
      items.set(path, { name: path, type: "directory", ...own });
    }
    for (const [at, base, shape, own, hard] of leaves) {
      const path = `${known[at % known.length]}${base}`;
      if (items.has(path)) continue;
      items.set(path, leafItem(path, shape, own));
      if (hard !== null && shape.kind === "file" && !items.has(hard))
        items.set(hard, { name: hard, type: "hardlink", linkName: path, ...own });
    }
    return [...items.values()];
  });

function leafItem(path: string, shape: Shape, own: Partial<LayerItem>): LayerItem {
  // user.* attributes are for files and directories only, says the kernel.
  const plain = { ...own, xattrs: new Map<string, Uint8Array>() };
  switch (shape.kind) {
    case "file":
      return { name: path, ...own, content: shape.content };
    case "symlink":
      return { name: path, type: "symlink", linkName: shape.linkName, ...plain };
    case "fifo":
      return { name: path, type: "fifo", ...plain };
    case "device":
      return { name: path, type: "character", devMajor: shape.major, devMinor: shape.minor, ...plain };
  }
}

class Scratch implements AsyncDisposable {
  readonly path: string = mkdtempSync(join(tmpdir(), "teu-gnu-"));

  directory(label: string): string {
    const path = join(this.path, label);
    mkdirSync(path);
    return path;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return removeTree(scope, this.path);
  }
}

async function unpackOurs(tar: Uint8Array, target: string, chunk?: number): Promise<void> {
  await applyLayer(scope, { source: chunked(tar, chunk), mediaType: MEDIA_TYPES.layer, target, lower: [] });
}

/** The root is made by the test, not by the archive: its own attributes do not count. */
function tree1(path: string): string[] {
  return describeTree(path).slice(1);
}

test("tar writer: GNU tar reads what we write as the tree that we read", async () => {
  await fc.assert(
    fc.asyncProperty(tree, fc.integer({ min: 1, max: 3000 }), async (items, chunk) => {
      await using scratch = new Scratch();
      const tar = layerTar(items);
      writeFileSync(join(scratch.path, "a.tar"), tar);
      const theirs = scratch.directory("theirs");
      execFileSync("tar", [...EXTRACT, join(scratch.path, "a.tar"), "-C", theirs], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      await unpackOurs(tar, join(scratch.path, "ours"), chunk);
      assert.deepEqual(tree1(join(scratch.path, "ours")), tree1(theirs));
    }),
    { numRuns: 60 },
  );
});

test("tar reader: we read what GNU tar writes, in each of its formats", async () => {
  const formats = [["--format=posix"], ["--format=gnu"], ["--format=posix", "-S"], ["--format=gnu", "-S"]];
  await fc.assert(
    fc.asyncProperty(tree, fc.constantFrom(...formats), async (items, format) => {
      await using scratch = new Scratch();
      const [source, theirs] = [join(scratch.path, "source"), scratch.directory("theirs")];
      await unpackOurs(layerTar(items), source);
      const archive = join(scratch.path, "a.tar");
      const keep = format[0] === "--format=posix" ? ["--xattrs", "--xattrs-include=*"] : [];
      execFileSync("tar", ["--numeric-owner", ...format, ...keep, "-cf", archive, "-C", source, "."], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      const { readFileSync } = await import("node:fs");
      execFileSync("tar", [...EXTRACT, archive, "-C", theirs], { stdio: ["ignore", "pipe", "ignore"] });
      await unpackOurs(readFileSync(archive), join(scratch.path, "ours"));
      assert.deepEqual(describeTree(join(scratch.path, "ours")), describeTree(theirs), format.join(" "));
    }),
    { numRuns: 60 },
  );
});

test("diffOverlay, applyLayer: a random tree survives the round trip to the last attribute", async () => {
  await fc.assert(
    fc.asyncProperty(tree, async (items) => {
      await using scratch = new Scratch();
      const [one, two] = [join(scratch.path, "one"), join(scratch.path, "two")];
      await unpackOurs(layerTar(items), one);
      await unpackOurs(await collectBytes(diffOverlay(scope, { upper: one, lower: [] }), 1 << 28), two);
      assert.deepEqual(tree1(two), tree1(one));
    }),
    { numRuns: 60 },
  );
});
