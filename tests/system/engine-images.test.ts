// Images of the engine: registry and archives, names, removal, garbage, hostile and broken input.

import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { digestOf } from "@teu/image/digest";
import { writeIndex } from "@teu/image/documents";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { put } from "@teu/testkit/random-image";
import { writeArchive } from "@teu/image/layout/write-archive";
import { parseReference } from "@teu/image/reference";
import { Registry } from "@teu/registry/registry";
import { MEDIA_TYPES } from "@teu/specs/image";

import { busyboxEntries, EngineHost, imageConfig, layerTar, UNABLE } from "./engine-harness.ts";

const opts = { skip: UNABLE };

async function blobs(host: EngineHost): Promise<number> {
  let count = 0;
  for await (const _ of host.engine.content.list(host.scope)) count++;
  return count;
}

test("Images: push, remove, pull: the same image, verified; nothing left in between", opts, async () => {
  await using host = await EngineHost.open();
  await using registry = await Registry.listen({ address: "127.0.0.1:0" });
  const {
    engine: { images },
    scope,
  } = host;
  const name = `${new URL(registry.url).host}/test/bb:v1`;
  const made = await host.busybox(name);
  const pushed = await images.push(scope, name);
  const removed = await images.remove(scope, name);
  assert.ok(removed.deleted.includes(made.id));
  assert.equal(await blobs(host), 0);
  assert.deepEqual(readdirSync(join(host.directory, "root/snapshots/layers")), []);
  assert.deepEqual(readdirSync(join(host.directory, "root/tmp")), []);
  const events: string[] = [];
  const pulled = await images.pull(scope, name, { progress: (event) => events.push(event.kind) });
  assert.equal(pulled.id, made.id);
  assert.deepEqual(pulled.names, [name]);
  assert.deepEqual(pulled.repoDigests, [`${name.replace(/:v1$/, "")}@${pushed.digest}`]);
  assert.ok(["resolve", "download", "unpack", "done"].every((kind) => events.includes(kind)));
  // By digest, and again: nothing to do.
  assert.equal((await images.pull(scope, `${name.replace(/:v1$/, "")}@${pushed.digest}`)).id, made.id);
  await assert.rejects(images.pull(scope, `${name}-missing`), { code: "not-found" });
});

test("Images.push: what another repository of the registry has is mounted from there", opts, async () => {
  await using host = await EngineHost.open();
  await using registry = await Registry.listen({ address: "127.0.0.1:0" });
  const {
    engine: { images },
    scope,
  } = host;
  const at = (name: string): string => `${new URL(registry.url).host}/${name}`;
  await host.busybox(at("one/bb:v1"));
  await images.push(scope, at("one/bb:v1"));
  // A name that nobody has pushed yet is no place to mount from.
  await images.tag(scope, at("one/bb:v1"), at("absent/bb:v1"));
  await images.tag(scope, at("one/bb:v1"), at("two/bb:v1"));
  const events: string[] = [];
  await images.push(scope, at("two/bb:v1"), { progress: ({ kind }) => events.push(kind) });
  assert.ok(events.includes("exists") && !events.includes("upload"), events.join());
});

test("Images.pull: two processes pull the same image at once", opts, async () => {
  await using host = await EngineHost.open();
  await using registry = await Registry.listen({ address: "127.0.0.1:0" });
  const { scope } = host;
  const name = `${new URL(registry.url).host}/test/bb:v1`;
  await host.busybox(name);
  await host.engine.images.push(scope, name);
  await host.engine.images.remove(scope, name);
  await using second = await host.another();
  const [one, two] = await Promise.all([host.engine.images.pull(scope, name), second.images.pull(scope, name)]);
  assert.equal(one.id, two.id);
  assert.equal((await host.engine.snapshots.list(scope)).length, 1);
  assert.deepEqual(readdirSync(join(host.directory, "root/tmp")), []);
});

test("Images.save, load: both archive forms bring the image back", opts, async () => {
  await using host = await EngineHost.open();
  const {
    engine: { images },
    scope,
  } = host;
  const made = await host.busybox("a/b:1");
  await images.tag(scope, "a/b:1", "c:2");
  for (const format of ["docker-archive", "oci-archive"] as const) {
    const archive: Uint8Array[] = [];
    for await (const chunk of images.save(scope, ["a/b:1", "c:2"], { format })) archive.push(Uint8Array.from(chunk));
    await images.remove(scope, made.id, { force: true });
    assert.equal((await images.list(scope)).length, 0);
    const [loaded] = await images.load(scope, async_(archive));
    assert.equal(loaded?.id, made.id, format);
    assert.deepEqual(loaded?.names, ["docker.io/a/b:1", "docker.io/library/c:2"], format);
    assert.equal((await host.run({ image: "c:2", network: "none", command: ["true"] })).code, 0);
    for (const { id } of await host.engine.containers.list(scope, { all: true }))
      await host.engine.containers.remove(scope, id);
  }
  const before = await blobs(host);
  await assert.rejects(images.load(scope, async_([Buffer.from("no archive at all, only some text".repeat(50))])));
  await assert.rejects(images.load(scope, async_([layerTar([{ name: "../../x", content: "y" }])])));
  assert.equal(await blobs(host), before);
});

test("Images.load: an archive takes no name by digest, and says whose names it takes", opts, async () => {
  await using host = await EngineHost.open();
  const {
    engine: { images },
    scope,
  } = host;
  const mine = await host.busybox("debian:latest");
  const other = await host.busybox("other:1", { Env: ["OTHER=1"] });
  const archive = Buffer.concat(
    await Array.fromAsync(images.save(scope, ["other:1"], { format: "oci-archive" }), Buffer.from),
  );
  const claiming = (name: string): Buffer => {
    // The same length, so that sizes and checksums of the tar stay true.
    const annotation = JSON.stringify("docker.io/library/other:1");
    const wanted = JSON.stringify(name).padEnd(annotation.length);
    return Buffer.from(archive.toString("latin1").replace(annotation, wanted), "latin1");
  };
  const told: string[] = [];
  const [loaded] = await images.load(scope, async_([claiming("debian:latest")]), {
    moved: (name, from) => told.push(`${name} ${from}`),
  });
  assert.deepEqual(told, [`docker.io/library/debian:latest ${mine.id}`]);
  assert.equal(loaded?.id, other.id);
  assert.equal((await images.get(scope, "debian:latest")).id, other.id);
  assert.equal((await images.get(scope, mine.id)).id, mine.id, "the image that had the name is still there");
  await images.load(scope, async_([claiming("debian:latest")]), { moved: (name) => told.push(name) });
  assert.equal(told.length, 1, "nothing moved the second time");
  const digest = `x.example/y@${mine.manifest.digest}`;
  const named = [{ descriptor: other.manifest, names: [parseReference(digest)] }];
  await images.load(scope, writeArchive(scope, host.engine.content, named, { docker: false }));
  await assert.rejects(images.get(scope, digest), { code: "not-found" });
});

test("Images.load: what a layout lists beside an image, of any type, is in nobody's way", opts, async () => {
  await using host = await EngineHost.open();
  const {
    engine: { images },
    scope,
  } = host;
  const made = await host.busybox("a/b:1");
  const store = new MemoryContentStore();
  for await (const { digest } of host.engine.content.list(scope))
    await put(scope, store, await host.engine.content.readAll(scope, digest, 1 << 28), "");
  const odd = await put(scope, store, Buffer.from("odd"), "application/x-odd");
  const nested = await writeIndex(scope, store, [odd, made.manifest]);
  const entries = [odd, await writeIndex(scope, store, [nested])].map((descriptor) => ({ descriptor, names: [] }));
  const [loaded, ...more] = await images.load(scope, writeArchive(scope, store, entries, { docker: false }));
  assert.equal(loaded?.id, made.id);
  assert.deepEqual(more, []);
});

test("Images: names move, remove untags first, refuses what is used", opts, async () => {
  await using host = await EngineHost.open();
  const {
    engine: { images, containers },
    scope,
  } = host;
  const one = await host.busybox("x:1");
  await images.tag(scope, "x:1", "x:2");
  await assert.rejects(images.remove(scope, one.id.slice(7, 19)), { code: "conflict" });
  assert.deepEqual(await images.remove(scope, "x:2"), { untagged: ["x:2"], deleted: [] });
  const two = await host.busybox("x:1", { Env: ["OTHER=1"] });
  assert.notEqual(two.id, one.id);
  const dangling = await images.list(scope, { dangling: true });
  assert.deepEqual(
    dangling.map((image) => image.id),
    [one.id],
  );
  const { id } = await containers.create(scope, { image: "x:1", network: "none", command: ["sleep", "100"] });
  await assert.rejects(images.remove(scope, "x:1"), { code: "conflict" });
  await containers.start(scope, id);
  await assert.rejects(images.remove(scope, "x:1", { force: true }), { code: "conflict" });
  await containers.remove(scope, id, { force: true });
  await images.remove(scope, "x:1");
  const report = await host.engine.prune(scope);
  assert.deepEqual(report.images, [one.id]);
  assert.equal(await blobs(host), 0);
});

test("Images.inspect, history, list: Docker's facts", opts, async () => {
  await using host = await EngineHost.open();
  const {
    engine: { images },
    scope,
  } = host;
  const image = await host.busybox("busybox:1", { Labels: { a: "b" } });
  const facts = await images.inspect(scope, "busybox:1");
  assert.equal(facts.Id, image.id);
  assert.deepEqual(facts.RepoTags, ["busybox:1"]);
  assert.deepEqual(facts.RootFS.Layers, image.config.rootfs.diff_ids);
  assert.partialDeepStrictEqual(facts.Config, { Labels: { a: "b" }, Cmd: ["sh"] });
  assert.equal((await images.history(scope, "busybox:1")).length, 1);
  assert.equal((await images.list(scope, { references: ["busybox"] })).length, 1);
  assert.equal((await images.list(scope, { references: ["busybox:2"] })).length, 0);
});

test("Snapshots.unpack: a wrong diff id, hostile entries and a cut stream leave nothing", opts, async () => {
  await using host = await EngineHost.open();
  const { engine, scope } = host;
  const put = async (tar: Uint8Array) => {
    await using ingest = await engine.content.ingest(scope, digestOf(tar));
    await ingest.write(tar);
    await ingest.commit();
    return { mediaType: MEDIA_TYPES.layer, digest: digestOf(tar), size: tar.length };
  };
  const good = layerTar([{ name: "a", content: "1" }]);
  const cases: { name: string; tar: Uint8Array; diffId?: ReturnType<typeof digestOf> }[] = [
    { name: "wrong diff id", tar: good, diffId: digestOf("other") },
    { name: "path upwards", tar: layerTar([{ name: "../../../escaped", content: "x" }]) },
    {
      name: "through a symlink",
      tar: layerTar([
        { name: "l", linkName: "/tmp" },
        { name: "l/teu-escaped", content: "x" },
      ]),
    },
    { name: "cut off", tar: layerTar([{ name: "a", content: "x".repeat(5000) }]).subarray(0, 2000) },
  ];
  for (const { name, tar, diffId } of cases) {
    const descriptor = await put(tar);
    try {
      await engine.snapshots.unpack(scope, { descriptor, parent: null, ...(diffId === undefined ? {} : { diffId }) });
      // Taking an entry into the layer itself is as good as refusing it.
      assert.ok(!existsSync("/tmp/teu-escaped") && !existsSync(join(host.directory, "escaped")), name);
    } catch (error) {
      assert.equal((error as { name?: string }).name, "TeuError", name);
    }
    assert.deepEqual(readdirSync(join(host.directory, "root/tmp")), [], name);
  }
});

test("Images.create: an image whose config does not fit its layers is refused", opts, async () => {
  await using host = await EngineHost.open();
  const { engine, scope } = host;
  await using lease = await engine.lease(scope);
  const tar = layerTar(busyboxEntries());
  const descriptor = { mediaType: MEDIA_TYPES.layer, digest: digestOf(tar), size: tar.length };
  {
    await using ingest = await lease.content.ingest(scope, "x");
    await ingest.write(tar);
    await ingest.commit();
  }
  const layer = await lease.snapshots.unpack(scope, { descriptor, parent: null });
  await assert.rejects(engine.images.create(scope, { config: imageConfig([]), layers: [layer] }), { code: "invalid" });
  await assert.rejects(engine.images.create(scope, { config: imageConfig([digestOf("x")]), layers: [layer] }), {
    code: "corrupt",
  });
  await assert.rejects(
    engine.images.create(scope, { config: imageConfig([layer.diffId]), layers: [layer], names: ["bad name"] }),
    { code: "invalid" },
  );
  assert.equal((await engine.images.list(scope)).length, 0);
});

async function* async_(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}
