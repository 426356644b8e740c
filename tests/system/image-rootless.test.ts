// Layers unpacked by a user without root: the same tree as umoci's --rootless, what only root could keep in attributes, and the
// same tar back.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdtempSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { removeTree } from "@teu/files/remove-tree";
import { writeImageConfig, writeManifest } from "@teu/image/documents";
import { emptyImageConfig, withLayer } from "@teu/image/image-config";
import { applyLayer } from "@teu/image/layer/apply";
import { diffOverlay } from "@teu/image/layer/diff";
import { packLayer } from "@teu/image/layer/pack";
import { exportLayout } from "@teu/image/layout/export-layout";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { hostPlatform } from "@teu/image/platform";
import { parseReference } from "@teu/image/reference";
import { TarReader } from "@teu/image/tar/reader";
import type { TarEntry } from "@teu/image/tar/entry";
import { MEDIA_TYPES } from "@teu/specs/image";

import { chunked, type LayerItem, layerTar } from "./image-layers.ts";
import { describeTree } from "./image-tree.ts";

const skip = process.geteuid?.() !== 0 && "needs root, to be somebody else";
/** Nobody whom a machine has. */
const SOMEBODY = 54_321;
const T = 1_600_000_000n * 10n ** 9n;
const scope = createScope();
let directory = "";

before(() => {
  if (skip !== false) return;
  directory = mkdtempSync(join(tmpdir(), "teu-rootless-"));
  chownSync(directory, SOMEBODY, SOMEBODY);
  chmodSync(directory, 0o711);
});
after(async () => {
  if (directory !== "") await removeTree(scope, directory);
});

/** Does something as a user without any right of root's. */
async function asSomebody<T>(body: () => Promise<T>): Promise<T> {
  const groups = process.getgroups?.() ?? [];
  process.setgroups?.([]);
  process.setegid?.(SOMEBODY);
  process.seteuid?.(SOMEBODY);
  try {
    return await body();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
    process.setgroups?.(groups);
  }
}

function unpack(name: string, items: readonly LayerItem[], lower: readonly string[] = []): Promise<unknown> {
  return asSomebody(() =>
    applyLayer(scope, {
      source: chunked(layerTar(items)),
      mediaType: MEDIA_TYPES.layer,
      target: join(directory, name),
      lower: lower.map((layer) => join(directory, layer)),
      rootless: true,
    }),
  );
}

/** What umoci keeps in the same way. */
const COMMON: readonly LayerItem[] = [
  { name: "./", type: "directory", mode: 0o755, mtimeNs: T },
  { name: "root", content: "x", mtimeNs: T },
  { name: "owned", content: "x", uid: 3, gid: 4, mode: 0o4755, mtimeNs: T + 7n },
  { name: "big-id", content: "x", uid: 70_000, mtimeNs: T },
  { name: "group", content: "x", gid: 7, mtimeNs: T },
  { name: "unreadable", content: "secret", mode: 0, mtimeNs: T },
  { name: "hard", type: "hardlink", linkName: "owned", uid: 3, gid: 4, mode: 0o4755, mtimeNs: T + 7n },
  { name: "link", type: "symlink", linkName: "owned", uid: 8, gid: 9, mtimeNs: T },
  { name: "fifo", type: "fifo", uid: 2, mode: 0o600, mtimeNs: T },
  { name: "d/", uid: 5, gid: 6, mode: 0o750, mtimeNs: T },
  { name: "d/f", content: "y", mtimeNs: T },
  {
    name: "attributes",
    content: "x",
    mtimeNs: T,
    xattrs: new Map([
      ["user.a", Uint8Array.of(0, 255)],
      ["trusted.b", Uint8Array.of(1)],
      ["security.capability", Buffer.from("0100000200040000000000000000000000000000", "hex")],
    ]),
  },
];

test("applyLayer rootless: the tree that umoci makes without root, to the last attribute", { skip }, async () => {
  const store = new MemoryContentStore();
  const packed = await packLayer(scope, { source: chunked(layerTar(COMMON)), store, compression: "gzip" });
  const config = withLayer(emptyImageConfig(hostPlatform()), packed.diffId, { created_by: "test" });
  const descriptor = await writeManifest(scope, store, {
    config: await writeImageConfig(scope, store, config),
    layers: [packed.descriptor],
  });
  const names = [parseReference("local/x:t")];
  await asSomebody(() => exportLayout(scope, store, [{ descriptor, names }], join(directory, "layout")));
  const id = ["--reuid", String(SOMEBODY), "--regid", String(SOMEBODY), "--clear-groups"];
  const args = [...id, "umoci", "unpack", "--rootless", "--image", "layout:t", "bundle"];
  execFileSync("setpriv", args, { cwd: directory, stdio: "ignore" });
  await unpack("common", COMMON);
  assert.deepEqual(describeTree(join(directory, "common")), describeTree(join(directory, "bundle/rootfs")));
});

test(
  "applyLayer rootless: directories that take no more entries, devices, marks, and the same tar back",
  { skip },
  async () => {
    const lower: LayerItem[] = [
      { name: "closed/", mode: 0o555, uid: 11, mtimeNs: T },
      { name: "closed/gone", content: "x", mtimeNs: T },
      { name: "closed/kept", content: "x", uid: 12, gid: 13, mode: 0o400, mtimeNs: T },
      { name: "opaque/", mtimeNs: T },
      { name: "opaque/gone", content: "x", mtimeNs: T },
    ];
    const upper: LayerItem[] = [
      { name: "closed/", mode: 0o555, uid: 11, mtimeNs: T },
      { name: "closed/.wh.gone" },
      { name: "closed/linked", type: "hardlink", linkName: "closed/kept", uid: 12, gid: 13, mode: 0o400, mtimeNs: T },
      { name: "closed/none/", mode: 0, mtimeNs: T },
      { name: "closed/none/file", content: "x", mtimeNs: T },
      { name: "null", type: "character", devMajor: 1, devMinor: 3, mode: 0o666, uid: 1, gid: 2, mtimeNs: T },
      { name: "disk", type: "block", devMajor: 8, devMinor: 1, mode: 0o640, mtimeNs: T },
      { name: "opaque/", mtimeNs: T },
      { name: "opaque/.wh..wh..opq" },
      { name: "opaque/new", content: "x", uid: 9, mtimeNs: T },
    ];
    await unpack("lower", lower);
    await unpack("upper", upper, ["lower"]);
    const at = (name: string): string => join(directory, "upper", name);
    assert.equal(statSync(at("closed")).mode & 0o7777, 0o555);
    assert.equal(statSync(at("closed/none")).mode & 0o7777, 0);
    assert.equal(statSync(at("null")).size, 0);
    assert.equal(statSync(at("opaque")).uid, SOMEBODY);

    const back: TarEntry[] = [];
    const reader = new TarReader({ entry: (entry) => back.push(entry), data: () => {}, endEntry: () => {} });
    // Root reads what is the user's: nobody else could look into "none".
    const options = { upper: join(directory, "upper"), lower: [join(directory, "lower")], rootless: true };
    for await (const chunk of diffOverlay(scope, options)) reader.write(chunk);
    reader.end();
    const told = back
      .filter(({ name }) => !name.includes(".wh."))
      .map(({ name, type, uid, gid, mode, devMajor, devMinor, xattrs }) =>
        [name, type, `${uid}:${gid}`, mode.toString(8), `${devMajor},${devMinor}`, xattrs.size].join(" "),
      );
    assert.deepEqual(told, [
      "closed directory 11:0 555 0,0 0",
      "closed/kept file 12:13 400 0,0 0",
      "closed/linked hardlink 12:13 400 0,0 0",
      "closed/none directory 0:0 0 0,0 0",
      "closed/none/file file 0:0 644 0,0 0",
      "disk block 0:0 640 8,1 0",
      "null character 1:2 666 1,3 0",
      "opaque directory 0:0 755 0,0 0",
      "opaque/new file 9:0 644 0,0 0",
    ]);
    assert.deepEqual(
      back.filter(({ name }) => name.includes(".wh.")).map(({ name }) => name),
      ["closed/.wh.gone", "opaque/.wh..wh..opq"],
    );
  },
);

test("applyLayer rootless: an image cannot say itself what only this host keeps", { skip }, async () => {
  const xattrs = new Map([
    ["user.rootlesscontainers", Buffer.from([8, 1, 16, 1])],
    ["user.containers.override_stat", Buffer.from("0:0:0666:char-8-0")],
    ["user.overlay.opaque", Buffer.from("y")],
    ["user.overlay.redirect", Buffer.from("/")],
    ["user.fine", Buffer.from("y")],
  ]);
  await unpack("spoof", [
    { name: "d/", xattrs },
    { name: "f", content: "x", xattrs },
  ]);
  const lines = describeTree(join(directory, "spoof")).filter((line) => /^\/[df] /.test(line));
  for (const line of lines) assert.match(line, /user\.fine=79/);
  for (const line of lines) assert.doesNotMatch(line, /rootless|override|overlay/);
});

test("applyLayer: without root, and not told so, denied, with nothing left", { skip }, async () => {
  const items = [{ name: "f", content: "x", uid: 3 }];
  const target = join(directory, "denied");
  await assert.rejects(
    asSomebody(() =>
      applyLayer(scope, { source: chunked(layerTar(items)), mediaType: MEDIA_TYPES.layer, target, lower: [] }),
    ),
    (error) => isTeuError(error, "denied"),
  );
  assert.ok(!existsSync(target));
});
