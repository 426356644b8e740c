import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { pushImage } from "@teu/distribution/client/push";
import { RegistryClient } from "@teu/distribution/client/registry-client";
import type { Digest } from "@teu/image/digest";
import { readLayoutIndex } from "@teu/image/layout/layout-directory";
import { REF_NAME } from "@teu/image/layout/layout-files";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { parseReference } from "@teu/image/reference";
import { encodeTarHeader, TAR_END, tarEntry, tarPadding } from "@teu/image/tar/writer";
import { randomImage, randomIndex } from "@teu/testkit/random-image";
import { rawRequest } from "@teu/testkit/raw-http";
import { tempRoot } from "@teu/testkit/temp-root";

import { Registry } from "../registry.ts";
import { backup, restore } from "./backup.ts";
import { exportLayout, REPOSITORY_ANNOTATION } from "./export.ts";
import { importFrom } from "./import.ts";
import { archiveLayout } from "./layout-archive.ts";
import { LayoutSource } from "./layout-source.ts";
import { OpenRoot } from "./open-root.ts";
import { isArchive, unpackLayout } from "./unpack-layout.ts";
import { verify } from "./verify.ts";

const scope = createScope();
const PLATFORMS = ["amd64", "arm64"].map((architecture) => ({ os: "linux", architecture }));

interface World extends AsyncDisposable {
  readonly registry: Registry;
  readonly root: OpenRoot;
  /** A path that is removed at the end. */
  path(name: string): string;
  /** What was pushed: "a:v1" and the like, and digests of manifests. */
  readonly digests: Readonly<Record<string, Digest>>;
}

/** A registry that serves an image under two tags, an index, and a signature. */
async function world(): Promise<World> {
  await using undo = new AsyncDisposableStack();
  const directory = undo.use(await tempRoot());
  const registry = undo.use(await Registry.listen({ root: directory.join("registry"), sweepInterval: 0 }));
  const client = undo.use(new RegistryClient());
  const store = new MemoryContentStore();
  const image = (await randomImage(scope, store, { seed: "one" })).descriptor;
  const index = (await randomIndex(scope, store, PLATFORMS, { seed: "many" })).descriptor;
  const signature = (await randomImage(scope, store, { seed: "signature", subject: image })).descriptor;
  const names = { "team/app:v1": image, "team/app:latest": image, "tools:1": index };
  for (const [name, descriptor] of Object.entries(names))
    await pushImage(scope, { client, reference: parseReference(`${registry.address}/${name}`), store, descriptor });
  const reference = parseReference(`${registry.address}/team/app@${signature.digest}`);
  await pushImage(scope, { client, reference, store, descriptor: signature });
  const root = undo.use(await OpenRoot.open(scope, directory.join("registry")));
  const stack = undo.move();
  return {
    registry,
    root,
    path: (name) => directory.join(name),
    digests: {
      "team/app:v1": image.digest,
      "team/app:latest": image.digest,
      "tools:1": index.digest,
      signature: signature.digest,
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Looks whether another directory serves what the world's registry does. */
async function assertServes(directory: string, { digests }: World): Promise<void> {
  await using registry = await Registry.listen({ root: directory, sweepInterval: 0 });
  for (const [name, digest] of Object.entries(digests)) {
    if (name === "signature") continue;
    const [repository, tag] = name.split(":");
    const got = await rawRequest(`${registry.url}/v2/${repository}/manifests/${tag}`);
    assert.equal(got.headers["docker-content-digest"], digest, name);
  }
  const referrers = await rawRequest(`${registry.url}/v2/team/app/referrers/${digests["team/app:v1"]}`);
  assert.deepEqual(
    referrers.json<{ manifests: { digest: string }[] }>().manifests.map(({ digest }) => digest),
    [digests["signature"]],
  );
  await using root = await OpenRoot.open(scope, directory);
  assert.deepEqual((await verify(scope, root)).findings, []);
}

test("exportLayout, importFrom: a layout carries everything, and again costs nothing", async () => {
  await using made = await world();
  const layout = made.path("layout");
  const first = await exportLayout(scope, made.root, layout);
  assert.deepEqual([first.repositories, first.missing], [2, []]);
  assert.equal((await exportLayout(scope, made.root, layout)).blobs, 0);
  const entries = (await readLayoutIndex(scope, layout)).manifests;
  assert.deepEqual(
    entries.map(({ annotations }) => annotations?.[REF_NAME] ?? annotations?.[REPOSITORY_ANNOTATION]).sort(),
    ["team/app", "team/app:latest", "team/app:v1", "tools:1"],
  );
  {
    await using target = await OpenRoot.open(scope, made.path("imported"), { make: true });
    const report = await importFrom(scope, target, new LayoutSource(layout));
    assert.deepEqual([report.tags, report.failures], [3, []]);
    assert.ok(report.blobs > 0);
    const again = await importFrom(scope, target, new LayoutSource(layout));
    assert.deepEqual(again, { manifests: 0, tags: 0, blobs: 0, bytes: 0, failures: [] });
  }
  await assertServes(made.path("imported"), made);
});

test("importFrom: beside a registry that serves", async () => {
  await using made = await world();
  await exportLayout(scope, made.root, made.path("layout"), { repositories: ["team/app"], link: true });
  await using other = await Registry.listen({ root: made.path("other"), sweepInterval: 0 });
  await using target = await OpenRoot.open(scope, made.path("other"));
  await importFrom(scope, target, new LayoutSource(made.path("layout")), { link: true });
  const got = await rawRequest(`${other.url}/v2/team/app/manifests/v1`);
  assert.equal(got.headers["docker-content-digest"], made.digests["team/app:v1"]);
  assert.equal((await rawRequest(`${other.url}/v2/tools/tags/list`)).status, 404);
});

test("importFrom: what is damaged is refused by name, all else is taken", async () => {
  await using made = await world();
  const layout = made.path("layout");
  await exportLayout(scope, made.root, layout);
  const image = await rawRequest(`${made.registry.url}/v2/team/app/manifests/v1`);
  const [layer] = (image.json() as { layers: { digest: string; size: number }[] }).layers;
  writeFileSync(path.join(layout, "blobs/sha256", layer?.digest.slice(7) ?? ""), "x".repeat(layer?.size ?? 0));
  await using target = await OpenRoot.open(scope, made.path("imported"), { make: true });
  const report = await importFrom(scope, target, new LayoutSource(layout));
  assert.deepEqual(
    [...new Set(report.failures.map(({ subject }) => subject))],
    [`team/app@${made.digests["team/app:v1"]}`],
  );
  assert.ok((await target.metadata.findManifest(scope, "tools", { tag: "1" })) !== null);
  assert.deepEqual(readdirSync(path.join(target.path, "uploads")), []);
});

test("unpackLayout: an archive carries what its layout does, compressed or not", async () => {
  await using made = await world();
  await exportLayout(scope, made.root, made.path("layout"));
  const archive = made.path("all.tar");
  await archiveLayout(scope, made.path("layout"), archive);
  writeFileSync(made.path("all.tar.gz"), gzipSync(readFileSync(archive)));
  for (const [i, file] of [archive, made.path("all.tar.gz")].entries()) {
    assert.ok(isArchive(file));
    const layout = made.path(`unpacked${i}`);
    mkdirSync(layout);
    await unpackLayout(scope, file, layout);
    await using target = await OpenRoot.open(scope, made.path(`imported${i}`), { make: true });
    const { tags, failures } = await importFrom(scope, target, new LayoutSource(layout), { link: true });
    assert.deepEqual([tags, failures], [3, []]);
    await target[Symbol.asyncDispose]();
    await assertServes(made.path(`imported${i}`), made);
  }
  assert.equal(isArchive(made.path("layout")), false);
});

test("unpackLayout: links, doubles, strange names and other archives write nothing", async () => {
  await using made = await world();
  const member = (name: string, content: string, more: object = {}): Buffer => {
    const header = encodeTarHeader(tarEntry({ type: "file", name, size: content.length, ...more }));
    return Buffer.concat([header, Buffer.from(content), tarPadding(content.length)]);
  };
  const [header, index] = [
    member("oci-layout", '{"imageLayoutVersion":"1.0.0"}'),
    member("./index.json", '{"schemaVersion":2,"manifests":[]}'),
  ];
  const blob = `blobs/sha256/${"a".repeat(64)}`;
  const bad = [
    [header],
    [header, index, index],
    [header, index, member(blob, "", { type: "symlink", linkName: "/etc/passwd" })],
    [header, index, member(blob, "", { type: "hardlink", linkName: "index.json" })],
    [header, member("index.json", "", { type: "symlink", linkName: "/etc/passwd" })],
    [Buffer.from("no tar at all")],
  ];
  for (const [i, members] of bad.entries()) {
    writeFileSync(made.path("bad.tar"), Buffer.concat([...members, TAR_END]));
    const directory = made.path(`bad${i}`);
    mkdirSync(directory);
    await assert.rejects(
      unpackLayout(scope, made.path("bad.tar"), directory),
      (error) => isTeuError(error, i === 5 ? "corrupt" : "invalid"),
      `${i}`,
    );
  }
  const strange = ["../x", "/x", "blobs/sha256/../../x", "blobs/sha256/short", "blobs/x", "manifest.json"];
  const members = [header, index, ...strange.map((name) => member(name, "x")), TAR_END];
  writeFileSync(made.path("strange.tar"), Buffer.concat(members));
  mkdirSync(made.path("strange"));
  await unpackLayout(scope, made.path("strange.tar"), made.path("strange"));
  assert.deepEqual(readdirSync(made.path("strange"), { recursive: true }).sort(), ["index.json", "oci-layout"]);
});

test("LayoutSource: entries without a repository need one", async () => {
  await using made = await world();
  const layout = made.path("layout");
  await exportLayout(scope, made.root, layout, { repositories: ["tools"] });
  const file = path.join(layout, "index.json");
  const { manifests } = await readLayoutIndex(scope, layout);
  writeFileSync(
    file,
    JSON.stringify({
      schemaVersion: 2,
      manifests: manifests.map((entry) => ({ ...entry, annotations: { [REF_NAME]: "1" } })),
    }),
  );
  await using target = await OpenRoot.open(scope, made.path("imported"), { make: true });
  await assert.rejects(importFrom(scope, target, new LayoutSource(layout)), (error) => isTeuError(error, "invalid"));
  await importFrom(scope, target, new LayoutSource(layout, "renamed"));
  assert.equal((await target.metadata.findManifest(scope, "renamed", { tag: "1" }))?.digest, made.digests["tools:1"]);
});

test("backup, restore: consistent, incremental, and servable", async () => {
  await using made = await world();
  const saved = made.path("backup");
  const first = await backup(scope, made.root, saved);
  assert.ok(first.blobs > 0);
  // An upload under way is no part of it.
  await rawRequest(`${made.registry.url}/v2/team/app/blobs/uploads/`, { method: "POST" });
  const second = await backup(scope, made.root, saved);
  assert.deepEqual([second.blobs, second.kept, second.dropped], [0, first.blobs, 0]);
  // What is gone goes from the backup, too.
  await rawRequest(`${made.registry.url}/v2/tools/manifests/${made.digests["tools:1"]}`, { method: "DELETE" });
  await using opened = await OpenRoot.open(scope, saved);
  await assert.rejects(restore(scope, opened, made.root.path), (error) => isTeuError(error, "already-exists"));
  await restore(scope, opened, made.path("restored"), { link: true });
  assert.deepEqual((await verify(scope, opened)).findings, []);
  await assertServes(made.path("restored"), made);
});

test("backup: never into another registry's backup, the registry itself, or what is no backup", async () => {
  await using made = await world();
  await using other = await world();
  const saved = made.path("backup");
  await backup(scope, made.root, saved);
  const full = made.path("full");
  mkdirSync(full);
  writeFileSync(path.join(full, "notes.txt"), "mine");
  const link = made.path("link");
  symlinkSync(made.root.path, link);
  const cases = [
    [other.root, saved, "conflict"],
    [made.root, full, "conflict"],
    [made.root, made.root.path, "invalid"],
    [made.root, path.join(made.root.path, "sub/dir"), "invalid"],
    [made.root, path.join(link, "sub"), "invalid"],
  ] as const;
  for (const [root, directory, code] of cases)
    await assert.rejects(backup(scope, root, directory), (error) => isTeuError(error, code), directory);
  assert.deepEqual(readdirSync(full), ["notes.txt"]);
  assert.equal(existsSync(path.join(made.root.path, "sub")), false);
  // What a killed first backup leaves may be gone on with.
  rmSync(path.join(saved, "registry.db"));
  writeFileSync(path.join(saved, ".registry.db-0"), "");
  await backup(scope, made.root, saved);
  await using opened = await OpenRoot.open(scope, saved);
  assert.deepEqual((await verify(scope, opened)).findings, []);
});

test("backup: refuses to copy a blob that is damaged, and leaves the last backup", async () => {
  await using made = await world();
  const saved = made.path("backup");
  await backup(scope, made.root, saved);
  const { mtimeMs } = statSync(path.join(saved, "registry.db"));
  const [blob] = await made.root.metadata.listBlobs(scope, { limit: 1 });
  assert.ok(blob !== undefined);
  rmSync(path.join(saved, "blobs/sha256", blob.digest.slice(7)));
  writeFileSync(made.root.blobs.pathOf(blob.digest), "short");
  await assert.rejects(backup(scope, made.root, saved), (error) => isTeuError(error, "corrupt"));
  assert.equal(statSync(path.join(saved, "registry.db")).mtimeMs, mtimeMs);
  assert.deepEqual(
    readdirSync(path.join(saved, "blobs/sha256")).filter((name) => name.startsWith(".")),
    [],
  );
});
