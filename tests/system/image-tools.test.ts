// Against tools of others: umoci unpacks the same layers to the same tree; skopeo and umoci read our layouts and archives,
// and we read theirs, digests unchanged.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createReadStream, createWriteStream, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";

import { createScope } from "@teu/base/scope";
import { removeTree } from "@teu/files/remove-tree";
import { loadArchive } from "@teu/image/docker-archive/load-archive";
import { walkDescriptors, writeImageConfig, writeManifest } from "@teu/image/documents";
import { emptyImageConfig, withContainerConfig, withCreated, withLayer } from "@teu/image/image-config";
import { exportLayout, importLayout } from "@teu/image/layout/export-layout";
import { writeArchive } from "@teu/image/layout/write-archive";
import { applyLayer } from "@teu/image/layer/apply";
import { packLayer } from "@teu/image/layer/pack";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { hostPlatform } from "@teu/image/platform";
import { parseReference } from "@teu/image/reference";
import type { Descriptor, ImageManifest } from "@teu/specs/image";

import { chunked, type LayerItem, layerTar } from "./image-layers.ts";
import { describeTree } from "./image-tree.ts";

const scope = createScope();

class Scratch implements AsyncDisposable {
  readonly path: string = mkdtempSync(join(tmpdir(), "teu-tools-"));

  run(...command: string[]): string {
    const [program = "", ...args] = command;
    return execFileSync(program, args, { cwd: this.path, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  }

  at(name: string): string {
    return join(this.path, name);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return removeTree(scope, this.path);
  }
}

const T = 1_600_000_000n * 10n ** 9n;
const LAYERS: readonly (readonly LayerItem[])[] = [
  [
    { name: "./", type: "directory", mtimeNs: T },
    { name: "usr/", mtimeNs: T },
    { name: "usr/bin/", mode: 0o711, mtimeNs: T },
    { name: "usr/bin/tool", content: "tool", mode: 0o4755, uid: 3, gid: 4, mtimeNs: T + 5n },
    { name: "bin", type: "symlink", linkName: "usr/bin", mtimeNs: T },
    { name: "gone/", mtimeNs: T },
    { name: "gone/x", content: "x", mtimeNs: T },
    { name: "opaque/", mtimeNs: T },
    { name: "opaque/x", content: "x", mtimeNs: T },
    { name: "file", content: "one", mtimeNs: T, xattrs: new Map([["user.a", Uint8Array.of(0, 255)]]) },
    {
      name: "hard",
      type: "hardlink",
      linkName: "file",
      mtimeNs: T,
      xattrs: new Map([["user.a", Uint8Array.of(0, 255)]]),
    },
    { name: "null", type: "character", devMajor: 1, devMinor: 3, mtimeNs: T },
    { name: "fifo", type: "fifo", mtimeNs: T },
  ],
  [
    { name: "bin/more", content: "more", mtimeNs: T },
    { name: "usr/bin/", mode: 0o755, mtimeNs: T + 7n },
    { name: ".wh.gone" },
    { name: "opaque/", mtimeNs: T },
    { name: "opaque/.wh..wh..opq" },
    { name: "opaque/y", content: "y", mtimeNs: T },
    { name: "hard", content: "two", mtimeNs: T },
    { name: "tool2", type: "hardlink", linkName: "usr/bin/tool", uid: 3, gid: 4, mode: 0o4755, mtimeNs: T + 5n },
    { name: "./", type: "directory", mtimeNs: T },
  ],
];

async function makeImage(store: MemoryContentStore): Promise<Descriptor> {
  let config = withCreated(
    withContainerConfig(emptyImageConfig(hostPlatform()), { Cmd: ["/bin/tool"] }),
    "2024-01-02T03:04:05Z",
  );
  const layers: Descriptor[] = [];
  for (const items of LAYERS) {
    const packed = await packLayer(scope, { source: chunked(layerTar(items)), store, compression: "gzip" });
    layers.push(packed.descriptor);
    config = withLayer(config, packed.diffId, { created_by: "test" });
  }
  return writeManifest(scope, store, { config: await writeImageConfig(scope, store, config), layers });
}

async function blobCount(store: MemoryContentStore): Promise<number> {
  let count = 0;
  for await (const _ of store.list(scope)) count++;
  return count;
}

test("applyLayer: umoci unpacks the same image to the same tree", async () => {
  await using scratch = new Scratch();
  const store = new MemoryContentStore();
  const descriptor = await makeImage(store);
  await exportLayout(scope, store, [{ descriptor, names: [parseReference("local/x:t")] }], scratch.at("layout"));
  scratch.run("umoci", "unpack", "--image", "layout:t", "bundle");
  const { layers } = JSON.parse(
    Buffer.from(await store.readAll(scope, descriptor.digest as never, 1 << 20)).toString(),
  ) as ImageManifest;
  const unpacked: string[] = [];
  for (const [index, layer] of layers.entries()) {
    const target = scratch.at(`l${index}`);
    await applyLayer(scope, {
      source: store.read(scope, layer.digest as never),
      mediaType: layer.mediaType,
      target,
      lower: [...unpacked],
    });
    unpacked.unshift(target);
  }
  scratch.run("mkdir", "merged");
  scratch.run("mount", "-t", "overlay", "-o", `ro,lowerdir=${unpacked.join(":")}`, "none", "merged");
  try {
    // umoci dates parents that it had to touch anew; contents, owners, modes, links and attributes must be equal.
    const options = { noDirectoryTimes: true };
    assert.deepEqual(describeTree(scratch.at("merged"), options), describeTree(scratch.at("bundle/rootfs"), options));
  } finally {
    scratch.run("umount", "merged");
  }
});

test("exportLayout, importLayout: skopeo copies our layout, and we read its copy, digests unchanged", async () => {
  await using scratch = new Scratch();
  const store = new MemoryContentStore();
  const descriptor = await makeImage(store);
  await exportLayout(scope, store, [{ descriptor, names: [parseReference("local/x:t")] }], scratch.at("ours"));
  scratch.run("skopeo", "copy", "oci:ours:t", "oci:theirs:other");
  const back = new MemoryContentStore();
  const [image] = await importLayout(scope, scratch.at("theirs"), back);
  assert.deepEqual(image, { descriptor, names: [], labels: ["other"] });
  assert.equal(await blobCount(back), 4);
});

test("writeArchive, loadArchive: skopeo reads our archive in both forms, and we read what it writes", async () => {
  await using scratch = new Scratch();
  const store = new MemoryContentStore();
  const descriptor = await makeImage(store);
  const name = parseReference("quay.io/team/app:v1");
  await pipeline(
    Readable.from(writeArchive(scope, store, [{ descriptor, names: [name] }])),
    createWriteStream(scratch.at("ours.tar")),
  );
  scratch.run("skopeo", "copy", "oci-archive:ours.tar:v1", "oci:from-oci:x");
  scratch.run("skopeo", "copy", "docker-archive:ours.tar:quay.io/team/app:v1", "oci:from-docker:x");
  scratch.run("skopeo", "copy", "oci:from-oci:x", "docker-archive:old.tar:quay.io/team/app:v1");
  scratch.run("skopeo", "copy", "oci:from-oci:x", "oci-archive:new.tar:v1");

  const fromOci = await loadArchive(scope, createReadStream(scratch.at("new.tar")), new MemoryContentStore());
  assert.deepEqual(fromOci, [{ descriptor, names: [], labels: ["v1"] }]);
  const ours = await loadArchive(scope, createReadStream(scratch.at("ours.tar")), new MemoryContentStore());
  assert.deepEqual(ours, [{ descriptor, names: [name], labels: [] }]);

  const back = new MemoryContentStore();
  const [old] = await loadArchive(scope, createReadStream(scratch.at("old.tar")), back);
  assert.deepEqual(old?.names, [name]);
  const config = (await walkDescriptors(scope, back, old?.descriptor))[0];
  const theirs = JSON.parse(readFileSync(scratch.at("from-docker/index.json"), "utf8")) as { manifests: Descriptor[] };
  const manifest = JSON.parse(
    readFileSync(scratch.at(`from-docker/blobs/sha256/${theirs.manifests[0]?.digest.slice(7)}`), "utf8"),
  ) as ImageManifest;
  assert.equal(manifest.layers.length, 2);
  assert.equal(
    (await walkDescriptors(scope, store, descriptor))[0]?.digest,
    config?.digest,
    "the image keeps its id through an old archive",
  );
  assert.equal(await blobCount(back), 4, "members that no image needs are not kept");
});
