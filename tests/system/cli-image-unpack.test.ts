// teu image unpack: the tree that umoci makes of the same image, as root and as somebody without any right of root's; and what is left
// when it fails.

import assert from "node:assert/strict";
import { execFile, execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { createScope } from "@teu/base/scope";
import { removeTree } from "@teu/files/remove-tree";
import { writeImageConfig, writeManifest } from "@teu/image/documents";
import { emptyImageConfig, withLayer } from "@teu/image/image-config";
import { packLayer } from "@teu/image/layer/pack";
import { exportLayout } from "@teu/image/layout/export-layout";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { hostPlatform } from "@teu/image/platform";
import { parseReference } from "@teu/image/reference";
import type { Descriptor } from "@teu/specs/image";

import { CliHost, UNABLE } from "./cli-harness.ts";
import { chunked, type LayerItem, layerTar } from "./image-layers.ts";
import { describeTree } from "./image-tree.ts";

const skip = UNABLE;
const TEU = new URL("../../bin/teu", import.meta.url).pathname;
/** Nobody whom a machine has. */
const SOMEBODY = 54_321;
const AS_SOMEBODY = ["--reuid", String(SOMEBODY), "--regid", String(SOMEBODY), "--clear-groups"];
const T = 1_600_000_000n * 10n ** 9n;
const scope = createScope();
const run = promisify(execFile);
let host: CliHost;
let directory = "";

const LOWER: readonly LayerItem[] = [
  { name: "./", type: "directory", mode: 0o755, mtimeNs: T },
  { name: "kept", content: "kept", uid: 3, gid: 4, mode: 0o4755, mtimeNs: T + 7n },
  { name: "gone", content: "x", mtimeNs: T },
  { name: "replaced", content: "old", mtimeNs: T },
  { name: "d/", uid: 5, gid: 6, mode: 0o750, mtimeNs: T },
  { name: "d/old", content: "x", mtimeNs: T },
  { name: "opaque/", mtimeNs: T },
  { name: "opaque/old", content: "x", mtimeNs: T },
  { name: "big", content: Buffer.alloc(3_000_000, "big"), uid: 70_000, mtimeNs: T },
];
const UPPER: readonly LayerItem[] = [
  { name: "./", type: "directory", mode: 0o711, mtimeNs: T + 1n },
  { name: ".wh.gone" },
  { name: "replaced/", mode: 0o555, mtimeNs: T },
  { name: "replaced/file", content: "new", mode: 0o400, mtimeNs: T },
  { name: "d/hard", type: "hardlink", linkName: "kept", uid: 3, gid: 4, mode: 0o4755, mtimeNs: T + 7n },
  { name: "d/", uid: 5, gid: 6, mode: 0o750, mtimeNs: T },
  { name: "opaque/", mtimeNs: T },
  { name: "opaque/.wh..wh..opq" },
  { name: "opaque/new", content: "new", mtimeNs: T },
  { name: "link", type: "symlink", linkName: "/kept", uid: 8, gid: 9, mtimeNs: T },
  { name: "fifo", type: "fifo", uid: 2, mode: 0o600, mtimeNs: T },
  {
    name: "attributes",
    content: "x",
    mtimeNs: T,
    xattrs: new Map([
      ["user.a", Uint8Array.of(0, 255)],
      ["security.capability", Buffer.from("0100000200040000000000000000000000000000", "hex")],
    ]),
  },
];

before(async () => {
  if (skip !== undefined) return;
  host = await CliHost.open();
  directory = mkdtempSync(join(tmpdir(), "teu-unpack-"));
  const store = new MemoryContentStore();
  const layers: Descriptor[] = [];
  let config = emptyImageConfig(hostPlatform());
  for (const items of [LOWER, UPPER]) {
    const packed = await packLayer(scope, { source: chunked(layerTar(items)), store, compression: "gzip" });
    config = withLayer(config, packed.diffId, { created_by: "test" });
    layers.push(packed.descriptor);
  }
  const descriptor = await writeManifest(scope, store, {
    config: await writeImageConfig(scope, store, config),
    layers,
  });
  await exportLayout(scope, store, [{ descriptor, names: [parseReference("local/x:t")] }], join(directory, "layout"));
  execFileSync("chown", ["-R", `${SOMEBODY}:${SOMEBODY}`, directory]);
  chmodSync(directory, 0o755);
});
after(async () => {
  if (skip !== undefined) return;
  await removeTree(scope, directory);
  await host[Symbol.asyncDispose]();
});

const at = (name: string): string => join(directory, name);

test("image unpack: the tree that umoci makes, to the last attribute", { skip }, async () => {
  await run("umoci", ["unpack", "--image", "layout:t", "bundle"], { cwd: directory });
  const told = await host.ok(["image", "unpack", `oci:${at("layout")}:t`, at("root")]);
  assert.match(told, /^Unpacked sha256:[0-9a-f]{64} into .*: 12 entries/);
  assert.deepEqual(describeTree(at("root")), describeTree(at("bundle/rootfs")));
});

test(
  "image unpack: an image of this host, into a directory that is there and empty, and what runs of it",
  { skip },
  async () => {
    mkdirSync(at("base"));
    const outcome = JSON.parse(await host.ok(["image", "unpack", "--format", "json", "base", at("base")])) as Record<
      string,
      unknown
    >;
    assert.deepEqual(Object.keys(outcome), ["source", "digest", "directory", "entries", "bytes"]);
    assert.equal((outcome["bytes"] as number) >= statSync("/bin/busybox").size, true);
    assert.equal(execFileSync("chroot", [at("base"), "/bin/sh", "-c", "echo hi"], { encoding: "utf8" }), "hi\n");
  },
);

test("image unpack: holes of a file stay holes", { skip }, async () => {
  const size = 64 << 20;
  mkdirSync(at("sparse"));
  writeFileSync(at("sparse/file"), "begin");
  truncateSync(at("sparse/file"), size);
  execFileSync("tar", ["-S", "-cf", at("sparse.tar"), "-C", at("sparse"), "file"]);
  await host.ok(["image", "append", "-q", "-t", `oci:${at("sparse-layout")}:t`, "scratch", at("sparse.tar")]);
  await host.ok(["image", "unpack", `oci:${at("sparse-layout")}:t`, at("unpacked")]);
  const { size: found, blocks } = statSync(at("unpacked/file"));
  assert.equal(found, size);
  assert.ok(blocks * 512 < size / 2, `${blocks} blocks`);
  assert.equal(readFileSync(at("unpacked/file")).subarray(0, 6).toString(), "begin\0");
});

/** Whether somebody else may run the program where it lies. */
function unableAsSomebody(): string | undefined {
  if (skip !== undefined) return skip;
  const tried = spawnSync("setpriv", [...AS_SOMEBODY, TEU, "version"], { stdio: "ignore" });
  if (tried.status !== 0) return "another user cannot run bin/teu where it lies";
  const reached = spawnSync("setpriv", [...AS_SOMEBODY, "test", "-x", tmpdir()], { stdio: "ignore" });
  return reached.status === 0 ? undefined : "another user cannot enter the directory for temporary files";
}

test(
  "image unpack --rootless: as somebody without root, the tree that umoci makes so",
  { skip: unableAsSomebody() },
  async () => {
    const env = { PATH: process.env["PATH"], HOME: directory, TMPDIR: directory };
    const as = (...args: readonly string[]): ReturnType<typeof run> =>
      run("setpriv", [...AS_SOMEBODY, ...args], { cwd: directory, env });
    await as("umoci", "unpack", "--rootless", "--image", "layout:t", "rootless-bundle");
    await as(TEU, "image", "unpack", "--rootless", "oci:layout:t", "rootless");
    assert.deepEqual(describeTree(at("rootless")), describeTree(at("rootless-bundle/rootfs")));
    assert.equal(statSync(at("rootless/kept")).uid, SOMEBODY);
    await assert.rejects(as(TEU, "image", "unpack", "oci:layout:t", "denied"), (error) => {
      const { code, stderr } = error as { code: number; stderr: string };
      assert.equal(code, 1);
      assert.match(stderr, /needs root\n.*--rootless/);
      return true;
    });
    assert.equal(existsSync(at("denied")), false);
    // Directories that take no entries are removed by their user, too.
    chmodSync(at("rootless/replaced"), 0o755);
  },
);

test("image unpack: what is refused leaves a directory as it was", { skip }, async () => {
  const source = `oci:${at("layout")}:t`;
  mkdirSync(at("full"));
  writeFileSync(at("full/mine"), "mine");
  const full = await host.teu(["image", "unpack", source, at("full")]);
  assert.equal(full.code, 1);
  assert.match(full.stderr, /not empty/);
  assert.deepEqual(readdirSync(at("full")), ["mine"]);
  writeFileSync(at("file"), "mine");
  assert.equal((await host.teu(["image", "unpack", source, at("file")])).code, 1);
  assert.equal(readFileSync(at("file"), "utf8"), "mine");
  const nowhere = await host.teu(["image", "unpack", "--platform", "s390x", "absent:v1", at("never")]);
  assert.equal(nowhere.code, 1);
  // A layer that is not what it should be, the last one: nothing of the others appears.
  execFileSync("cp", ["-a", at("layout"), at("broken")]);
  const index = JSON.parse(readFileSync(at("broken/index.json"), "utf8")) as { manifests: { digest: string }[] };
  const blob = (digest: string): string => at(`broken/blobs/sha256/${digest.slice(7)}`);
  const manifest = JSON.parse(readFileSync(blob(index.manifests[0]?.digest ?? ""), "utf8")) as {
    layers: { digest: string; size: number }[];
  };
  const last = blob(manifest.layers.at(-1)?.digest ?? "");
  const bytes = readFileSync(last);
  rmSync(last);
  bytes[bytes.length - 20] = (bytes[bytes.length - 20] ?? 0) ^ 1;
  writeFileSync(last, bytes);
  mkdirSync(at("empty"), { mode: 0o700 });
  chownSync(at("empty"), SOMEBODY, SOMEBODY);
  for (const target of ["never", "empty"]) {
    const outcome = await host.teu(["image", "unpack", `oci:${at("broken")}:t`, at(target)]);
    assert.equal(outcome.code, 1, outcome.stderr);
  }
  assert.equal(existsSync(at("never")), false);
  assert.deepEqual(readdirSync(at("empty")), []);
  const { mode, uid } = statSync(at("empty"));
  assert.deepEqual([mode & 0o777, uid], [0o700, SOMEBODY]);
  // A policy that takes nothing.
  writeFileSync(at("policy.json"), JSON.stringify({ default: [{ type: "reject" }] }));
  const rejected = await host.teu(["image", "unpack", "--signature-policy", at("policy.json"), source, at("never")]);
  assert.equal(rejected.code, 1);
  assert.equal(existsSync(at("never")), false);
  assert.equal((await host.teu(["image", "unpack", source])).code, 125);
});
