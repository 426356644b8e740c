// A layer made of two trees: lying on the first, it shows the second, to the last attribute; of two equal trees it is empty.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { test } from "node:test";

import { isTeuError } from "@teu/base/errors";
import { openDirectory } from "@teu/files/open";
import { setXattr } from "@teu/files/xattrs";
import { diffTrees } from "@teu/image/layer/diff-trees";
import type { TarEntry } from "@teu/image/tar/entry";
import { TarReader } from "@teu/image/tar/reader";
import { collectBytes } from "@teu/image/verified-stream";

import { type LayerItem, LayerStack } from "./image-layers.ts";
import { describeTree } from "./image-tree.ts";

const skip = process.geteuid?.() !== 0 && "needs root";
const T = 1_600_000_000n * 10n ** 9n;
const BASE: readonly LayerItem[] = [
  { name: "./", type: "directory", mtimeNs: T },
  { name: "same/", mtimeNs: T },
  { name: "same/file", content: "same", uid: 3, mtimeNs: T + 5n, xattrs: new Map([["user.a", Uint8Array.of(1)]]) },
  { name: "gone/", mtimeNs: T },
  { name: "gone/file", content: "x", mtimeNs: T },
  { name: "file-to-directory", content: "x", mtimeNs: T },
  { name: "directory-to-file/", mtimeNs: T },
  { name: "directory-to-file/x", content: "x", mtimeNs: T },
  { name: "content", content: "before", mtimeNs: T },
  { name: "mode", content: "x", mode: 0o600, mtimeNs: T },
  { name: "owner", content: "x", uid: 1, mtimeNs: T },
  { name: "attribute", content: "x", mtimeNs: T, xattrs: new Map([["user.a", Uint8Array.of(1)]]) },
  { name: "target", type: "symlink", linkName: "before", mtimeNs: T },
  { name: "device", type: "character", devMajor: 1, devMinor: 3, mtimeNs: T },
  { name: "fifo", type: "fifo", mtimeNs: T },
  { name: "linked-1", content: "linked", mtimeNs: T },
  { name: "linked-2", type: "hardlink", linkName: "linked-1", mtimeNs: T },
  { name: "apart-1", content: "apart", mtimeNs: T },
  { name: "apart-2", content: "apart", mtimeNs: T },
];

async function bench(): Promise<LayerStack & { readonly to: string }> {
  const stack = await LayerStack.make();
  await stack.add(BASE);
  execFileSync("cp", ["-a", stack.top, stack.path("to")]);
  return Object.assign(stack, { to: stack.path("to") });
}

async function layerOf(stack: LayerStack, from: string, to: string): Promise<{ tar: Uint8Array; entries: TarEntry[] }> {
  const tar = await collectBytes(diffTrees(stack.scope, { from, to }), 1 << 24);
  const entries: TarEntry[] = [];
  const reader = new TarReader({ entry: (entry) => entries.push(entry), data: () => {}, endEntry: () => {} });
  reader.write(tar);
  reader.end();
  return { tar, entries };
}

/** What is seen with the layer over the first tree. */
async function merged(stack: LayerStack, tar: Uint8Array): Promise<string[]> {
  await stack.add(tar);
  mkdirSync(stack.path("merged"));
  const options = `ro,lowerdir=${stack.layers.join(":")}`;
  execFileSync("mount", ["-t", "overlay", "-o", options, "none", stack.path("merged")]);
  try {
    return describeTree(stack.path("merged"));
  } finally {
    execFileSync("umount", [stack.path("merged")]);
  }
}

test("diffTrees: nothing between equal trees", { skip }, async () => {
  await using stack = await bench();
  assert.deepEqual((await layerOf(stack, stack.top, stack.to)).entries, []);
});

test("diffTrees: over the first tree its layer shows the second", { skip }, async () => {
  await using stack = await bench();
  const at = (name: string): string => `${stack.to}/${name}`;
  const touch = (name: string): void => utimesSync(at(name), 1_600_000_000, 1_600_000_000);
  rmSync(at("gone"), { recursive: true });
  rmSync(at("file-to-directory"));
  mkdirSync(at("file-to-directory"));
  writeFileSync(at("file-to-directory/new"), "new");
  rmSync(at("directory-to-file"), { recursive: true });
  writeFileSync(at("directory-to-file"), "file");
  // Same size, same time: only the content tells.
  writeFileSync(at("content"), "behind");
  touch("content");
  execFileSync("chmod", ["4711", at("mode")]);
  execFileSync("chown", ["5:6", at("owner")]);
  using to = openDirectory(stack.to);
  setXattr(to.fd, "attribute", "user.b", Buffer.from("2"));
  rmSync(at("target"));
  symlinkSync("behind", at("target"));
  rmSync(at("device"));
  execFileSync("mknod", [at("device"), "c", "1", "5"]);
  renameSync(at("fifo"), at("moved"));
  // Two names of one file become two files, and two files one.
  rmSync(at("linked-2"));
  writeFileSync(at("linked-2"), "linked");
  touch("linked-2");
  rmSync(at("apart-2"));
  linkSync(at("apart-1"), at("apart-2"));
  writeFileSync(at("several-1"), "several");
  linkSync(at("several-1"), at("several-2"));
  touch("same");
  touch(".");
  const { tar, entries } = await layerOf(stack, stack.top, stack.to);
  const names = entries.map(({ name }) => name);
  for (const absent of ["same/file", "apart-1", "linked-1"]) assert.ok(!names.includes(absent), absent);
  assert.deepEqual(
    names.filter((name) => name.includes(".wh.")),
    [".wh.fifo", ".wh.gone"],
  );
  assert.deepEqual(await merged(stack, tar), describeTree(stack.to));
});

test("diffTrees: from nothing to a tree, and back", { skip }, async () => {
  await using stack = await bench();
  mkdirSync(stack.path("nothing"));
  const whole = await layerOf(stack, stack.path("nothing"), stack.to);
  await stack.add(whole.tar, { target: stack.path("again"), lower: [] });
  assert.deepEqual(describeTree(stack.path("again")), describeTree(stack.to));
  const { entries } = await layerOf(stack, stack.to, stack.path("nothing"));
  assert.ok(entries.every(({ name }) => name === "" || name === "/" || name === "." || name.startsWith(".wh.")));
});

test("diffTrees: sockets are as if absent, names of whiteouts are refused", { skip }, async () => {
  await using stack = await bench();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${stack.to}/socket`, resolve));
  try {
    execFileSync("touch", ["-d", "@1600000000", stack.to]);
    assert.deepEqual((await layerOf(stack, stack.top, stack.to)).entries, []);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
  writeFileSync(`${stack.to}/.wh.x`, "");
  await assert.rejects(layerOf(stack, stack.top, stack.to), (error) => isTeuError(error, "unsupported"));
});
