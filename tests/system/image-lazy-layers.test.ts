// Layers made to be fetched in parts, read whole: eStargz is many gzip members with a list of contents as last file, zstd:chunked is
// many zstd frames with lists in frames that are skipped. To us they are gzip and zstd; nothing of theirs is lost or in the way.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";

import { execFileSync } from "node:child_process";

import { digestOf } from "@teu/image/digest";
import { writeImageConfig, writeManifest } from "@teu/image/documents";
import { emptyImageConfig, withLayer } from "@teu/image/image-config";
import { packLayer } from "@teu/image/layer/pack";
import { exportLayout, importLayout } from "@teu/image/layout/export-layout";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { hostPlatform } from "@teu/image/platform";
import { parseReference } from "@teu/image/reference";
import { encodeTarHeader, TAR_END, tarEntry, tarPadding } from "@teu/image/tar/writer";
import { type ImageManifest, MEDIA_TYPES } from "@teu/specs/image";
import { randomBytes } from "@teu/testkit/random-image";

import { chunked, type LayerItem, LayerStack, layerTar } from "./image-layers.ts";
import { describeTree } from "./image-tree.ts";

const skip = process.geteuid?.() !== 0 && "needs root";
const ITEMS: readonly LayerItem[] = [
  { name: "etc/", mode: 0o750 },
  { name: "etc/empty", content: "" },
  { name: "etc/small", content: "small", uid: 5 },
  { name: "big", content: randomBytes("big", 3 << 20), xattrs: new Map([["user.a", Uint8Array.of(1)]]) },
  { name: "link", type: "symlink", linkName: "big" },
  { name: "hard", type: "hardlink", linkName: "big" },
];

function file(name: string, content: Uint8Array): Uint8Array[] {
  return [
    encodeTarHeader(tarEntry({ type: "file", name, size: content.length, mode: 0o444 })),
    content,
    tarPadding(content.length),
  ];
}

/** Every entry a member of its own, large content in several, then the list, the end, and a footer that says where the list is. */
function estargz(): { readonly blob: Buffer; readonly tar: Buffer } {
  const parts: Uint8Array[] = [...file(".no.prefetch.landmark", Uint8Array.of(0x0f))];
  for (const item of ITEMS) {
    const entry = layerTar([item]).subarray(0, -TAR_END.length);
    for (let at = 0; at < entry.length; at += 1 << 20) parts.push(entry.subarray(at, at + (1 << 20)));
  }
  const list = Buffer.concat(file("stargz.index.json", Buffer.from('{"version":1,"entries":[]}')));
  const members = parts.map((part) => gzipSync(part));
  const offset = members.reduce((sum, member) => sum + member.length, 0);
  // An empty member with an extra field: "SG", 22 bytes, the list's offset in hex, "STARGZ".
  const extra = Buffer.concat([
    Buffer.from([0x53, 0x47, 22, 0]),
    Buffer.from(`${offset.toString(16).padStart(16, "0")}STARGZ`),
  ]);
  const head = Buffer.from([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, extra.length, 0]);
  const empty = Buffer.from([1, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0]);
  return {
    blob: Buffer.concat([...members, gzipSync(Buffer.concat([list, TAR_END])), head, extra, empty]),
    tar: Buffer.concat([...parts, list, TAR_END]),
  };
}

function skippable(content: Uint8Array): Buffer {
  const head = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]);
  head.writeUInt32LE(content.length, 4);
  return Buffer.concat([head, content]);
}

/** Every entry a frame of its own, then manifest, tar-split and footer in frames that are skipped. */
function zstdChunked(): { readonly blob: Buffer; readonly tar: Buffer } {
  const tar = layerTar(ITEMS);
  const frames: Buffer[] = [];
  for (const item of ITEMS) frames.push(zstdCompressSync(layerTar([item]).subarray(0, -TAR_END.length)));
  frames.push(zstdCompressSync(TAR_END));
  const manifest = zstdCompressSync(Buffer.from('{"version":1,"entries":[]}'));
  const footer = Buffer.concat([Buffer.alloc(56), Buffer.from("GnUlInUx")]);
  return {
    blob: Buffer.concat([...frames, skippable(manifest), skippable(Buffer.alloc(9, 1)), skippable(footer)]),
    tar,
  };
}

for (const [name, { blob, tar }, mediaType] of [
  ["eStargz", estargz(), MEDIA_TYPES.layerGzip],
  ["zstd:chunked", zstdChunked(), MEDIA_TYPES.layerZstd],
] as const) {
  test(`applyLayer: ${name} is the tree of its tar, however it arrives`, { skip }, async () => {
    await using stack = await LayerStack.make();
    const expectedDiffId = digestOf(tar);
    await stack.add(tar);
    const plain = describeTree(stack.top);
    for (const size of [997, 1 << 16, 1 << 24]) {
      const target = stack.path(`${name}-${size}`);
      const source = chunked(blob, size);
      const descriptor = { expectedDigest: digestOf(blob), descriptorSize: blob.length };
      const applied = await stack.add(blob, { target, lower: [], mediaType, source, expectedDiffId, ...descriptor });
      assert.equal(applied.diffId, expectedDiffId);
      assert.deepEqual(describeTree(target), plain);
    }
  });
}

test("applyLayer: what skopeo compresses as zstd:chunked", { skip }, async () => {
  await using stack = await LayerStack.make();
  const { scope } = stack;
  const store = new MemoryContentStore();
  const tar = layerTar(ITEMS);
  const packed = await packLayer(scope, { source: chunked(tar), store, compression: "gzip" });
  const config = withLayer(emptyImageConfig(hostPlatform()), packed.diffId, { created_by: "test" });
  const descriptor = await writeManifest(scope, store, {
    config: await writeImageConfig(scope, store, config),
    layers: [packed.descriptor],
  });
  await exportLayout(scope, store, [{ descriptor, names: [parseReference("local/x:t")] }], stack.path("ours"));
  const args = ["copy", "--dest-compress", "--dest-compress-format", "zstd:chunked", "oci:ours:t", "oci:theirs:t"];
  execFileSync("skopeo", args, { cwd: stack.directory, stdio: "ignore" });
  const theirs = new MemoryContentStore();
  const [image] = await importLayout(scope, stack.path("theirs"), theirs);
  const manifest = await theirs.readAll(scope, image?.descriptor.digest as never, 1 << 20);
  const [layer] = (JSON.parse(Buffer.from(manifest).toString()) as ImageManifest).layers;
  assert.equal(layer?.mediaType, MEDIA_TYPES.layerZstd);
  const blob = readFileSync(stack.path(`theirs/blobs/sha256/${layer.digest.slice(7)}`));
  assert.ok(blob.includes("GnUlInUx"), "skopeo wrote no footer of zstd:chunked");
  await stack.add(tar);
  const plain = describeTree(stack.top);
  const target = stack.path("chunked");
  await stack.add(blob, { target, lower: [], mediaType: layer.mediaType, expectedDiffId: digestOf(tar) });
  assert.deepEqual(describeTree(target), plain);
});
