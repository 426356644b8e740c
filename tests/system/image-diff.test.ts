// Layers out of overlay upper directories: a real overlay mount is changed, its upper directory becomes a layer, and that
// layer, unpacked over the same lower ones, shows the same tree.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { isTeuError } from "@teu/base/errors";
import { openDirectory } from "@teu/files/open";
import { setXattr } from "@teu/files/xattrs";
import { digestOf } from "@teu/image/digest";
import { diffOverlay, type DiffOptions } from "@teu/image/layer/diff";
import { packLayer } from "@teu/image/layer/pack";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { TarReader } from "@teu/image/tar/reader";
import type { TarEntry } from "@teu/image/tar/entry";
import { collectBytes } from "@teu/image/verified-stream";

import { LayerStack } from "./image-layers.ts";
import { describeTree } from "./image-tree.ts";

/** Mounts the stack with a new upper directory, runs a shell script in it, unmounts; returns upper and what was to be seen. */
function change(
  stack: LayerStack,
  script: string,
  options: string = "redirect_dir=off,metacopy=off",
): { upper: string; seen: string[] } {
  const [upper, work, merged] = ["upper", "work", "merged"].map((name) => stack.path(name)) as [string, string, string];
  for (const path of [upper, work, merged]) mkdirSync(path);
  const data = `lowerdir=${stack.layers.join(":")},upperdir=${upper},workdir=${work},${options}`;
  execFileSync("mount", ["-t", "overlay", "-o", data, "none", merged]);
  try {
    execFileSync("sh", ["-ec", script], { cwd: merged });
    return { upper, seen: describeTree(merged).slice(1) };
  } finally {
    execFileSync("umount", [merged]);
  }
}

/** As `change`, of any stack, without changing it. */
function see(stack: LayerStack): string[] {
  const merged = stack.path("see");
  mkdirSync(merged);
  execFileSync("mount", ["-t", "overlay", "-o", `ro,lowerdir=${stack.layers.join(":")}`, "none", merged]);
  try {
    return describeTree(merged).slice(1);
  } finally {
    execFileSync("umount", [merged]);
  }
}

function diff(stack: LayerStack, upper: string, more: Partial<DiffOptions> = {}): Promise<Uint8Array> {
  return collectBytes(diffOverlay(stack.scope, { upper, lower: stack.layers, ...more }), 1 << 28);
}

function entriesOf(tar: Uint8Array): TarEntry[] {
  const entries: TarEntry[] = [];
  const reader = new TarReader({ entry: (entry) => void entries.push(entry), data: () => {}, endEntry: () => {} });
  reader.write(tar);
  reader.end();
  return entries;
}

async function base(): Promise<LayerStack> {
  const stack = await LayerStack.make();
  await stack.add([
    { name: "dir/" },
    { name: "dir/a", content: "a" },
    { name: "dir/b", content: "b" },
    { name: "dir/sub/deep", content: "d" },
    { name: "gone/x", content: "x" },
    { name: "again/old", content: "o" },
    { name: "link", type: "symlink", linkName: "dir" },
    { name: "file", content: "f", mode: 0o640, uid: 4 },
  ]);
  return stack;
}

const SCRIPT = `
  echo new > dir/new; rm dir/a; rm -r gone; rm -r again; mkdir again; echo n > again/new; chmod 700 dir/sub
  rm link; mkdir link; echo l > link/inside; echo more >> file; chown 1:2 file; chmod 4755 file
  ln file hard; ln -s nowhere dangling; mkfifo fifo; mknod null c 1 3; mkdir -p fresh/one/two; touch -d @1.5 fresh/one
  head -c 3000000 /dev/urandom > big; setfattr -n user.x -v 0sAAH/ big 2>/dev/null || true
  touch -h -d '2001-02-03 04:05:06.789' dangling; mv dir/b dir/moved; mkdir -p many; for i in 1 2 3 4 5 6 7 8 9; do echo $i > many/$i; done
`;

test("diffOverlay: what was to be seen in the overlay is to be seen after unpacking its layer", async () => {
  await using stack = await base();
  const { upper, seen } = change(stack, SCRIPT);
  const tar = await diff(stack, upper);
  await stack.add(tar);
  assert.deepEqual(see(stack), seen);
});

test("diffOverlay: whiteouts, opaque marks only where they hide something, hard links once", async () => {
  await using stack = await base();
  const { upper } = change(stack, SCRIPT);
  const names = entriesOf(await diff(stack, upper)).map(({ name, type, linkName }) =>
    type === "hardlink" ? `${name} => ${linkName}` : name,
  );
  assert.deepEqual(
    names.filter((name) => name.includes(".wh.")),
    [".wh.gone", "again/.wh..wh..opq", "dir/.wh.a", "dir/.wh.b"],
  );
  assert.ok(names.includes("hard => file"));
  assert.equal(
    names.indexOf("again/.wh..wh..opq"),
    names.indexOf("again") + 1,
    "opaque marks come before their siblings",
  );
  assert.deepEqual(
    names.filter((name) => name.startsWith("fresh")),
    ["fresh", "fresh/one", "fresh/one/two"],
  );
});

test("diffOverlay: same tree, same bytes; latestNs cuts later times", async () => {
  await using stack = await base();
  const { upper } = change(stack, SCRIPT);
  const one = await diff(stack, upper);
  assert.equal(digestOf(one), digestOf(await diff(stack, upper)));
  const latestNs = 1_000_000_000_000_000_000n;
  const times = entriesOf(await diff(stack, upper, { latestNs })).map((entry) => entry.mtimeNs);
  assert.ok(times.every((time) => time <= latestNs) && times.includes(latestNs) && times.includes(1_500_000_000n));
});

test("diffOverlay: an untouched upper directory is an empty layer, sockets are left out", async () => {
  await using stack = await base();
  const { upper } = change(
    stack,
    "python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('s')\" || perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => \"s\", Listen => 1)'",
  );
  assert.deepEqual(readdirSync(upper), ["s"]);
  assert.equal((await diff(stack, upper)).length, 1024);
});

test("diffOverlay: unsupported for renamed directories, content left below, and .wh. names", async () => {
  const cases: readonly [string, string, (upper: string) => void][] = [
    ["redirect_dir=on,metacopy=off", "mv dir moved", () => {}],
    ["redirect_dir=on,metacopy=on", "chmod 777 file", () => {}],
    ["redirect_dir=off,metacopy=off", "touch .wh.x", () => {}],
    [
      "redirect_dir=off,metacopy=off",
      "mkdir odd",
      (upper) => {
        using directory = openDirectory(upper);
        setXattr(directory.fd, "odd", "trusted.overlay.opaque", Buffer.from("x"));
      },
    ],
  ];
  for (const [options, script, prepare] of cases) {
    await using stack = await base();
    const { upper } = change(stack, script, options);
    prepare(upper);
    await assert.rejects(diff(stack, upper), (error) => isTeuError(error, "unsupported"), script);
  }
});

test("packLayer: a blob in the store, its DiffID, and back", async () => {
  for (const compression of ["none", "gzip", "zstd"] as const) {
    await using stack = await base();
    const { upper, seen } = change(stack, SCRIPT);
    const store = new MemoryContentStore();
    const source = (): AsyncIterable<Uint8Array> => diffOverlay(stack.scope, { upper, lower: stack.layers });
    const packed = await packLayer(stack.scope, { source: source(), store, compression });
    const again = await packLayer(stack.scope, { source: source(), store, compression });
    assert.deepEqual(again, packed, "same bytes twice");
    const { mediaType, digest, size } = packed.descriptor;
    const blob = await store.readAll(stack.scope, digest as never, size);
    await stack.add(blob, { mediaType, expectedDigest: digest, expectedDiffId: packed.diffId, descriptorSize: size });
    assert.deepEqual(see(stack), seen);
  }
});

test("packLayer: a failing source leaves nothing in the store", async () => {
  await using stack = await base();
  const store = new MemoryContentStore();
  async function* broken(): AsyncIterable<Uint8Array> {
    yield new Uint8Array(100_000);
    throw new Error("no more");
  }
  for (const compression of ["none", "gzip", "zstd"] as const) {
    await assert.rejects(packLayer(stack.scope, { source: broken(), store, compression }), /no more/);
  }
  for await (const blob of store.list(stack.scope)) assert.fail(`left: ${blob.digest}`);
});
