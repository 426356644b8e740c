// Every transform: what it changes, what it leaves as it is byte for byte, and what it refuses.

import assert from "node:assert/strict";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { test } from "node:test";

import fc from "fast-check";

import { type ErrorCode, isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { type Descriptor, MEDIA_TYPES } from "@teu/specs/image";
import { tempRoot } from "@teu/testkit/temp-root";

import type { ContentStore } from "../content-store.ts";
import { digestOf, parseDigest } from "../digest.ts";
import { writeDocument } from "../documents.ts";
import { checkHistory } from "../image-config.ts";
import { listFiles } from "../files/list-files.ts";
import { MemoryContentStore } from "../memory-content-store.ts";
import type { BlobIdentity } from "../transport/source-and-sink.ts";
import { storeSource } from "../transport/store-image.ts";
import { emptyImage, type ImageTransform, type ImageValue } from "../values/image-value.ts";
import type { IndexValue } from "../values/index-value.ts";
import { directoryLayer, fileLayer, tarLayer } from "../values/make-layer.ts";
import { openValue } from "../values/value-source.ts";
import { layerTar } from "../values/layer-value.ts";
import {
  file,
  storedValue,
  storeImage,
  streamOf,
  tarOf,
  type TestEntry,
  type TestImage,
  writtenOut,
} from "../values/testdata/test-images.ts";
import { changeAnnotations, changeIndexAnnotations } from "./change-annotations.ts";
import { changeConfig } from "./change-config.ts";
import { appendLayers, removeLayer, replaceLayer } from "./change-layers.ts";
import { flatten } from "./flatten.ts";
import { setIndexMediaTypes, setMediaTypes } from "./media-types.ts";
import { BASE_DIGEST, BASE_NAME, rebase } from "./rebase.ts";
import { recompress } from "./recompress.ts";
import { setTimestamp } from "./timestamps.ts";

const scope = createScope();
const BASE: TestImage = { layers: [[file("etc/a", "a")], [file("etc/b", "b")]] };

function fails(code: ErrorCode, text: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(isTeuError(error, code), String(error));
    assert.match(`${error.message} ${error.hint ?? ""}`, text);
    return true;
  };
}

async function imageOf(store: ContentStore, image: TestImage = BASE): Promise<ImageValue> {
  return (await storedValue(scope, store, await storeImage(scope, store, image))) as ImageValue;
}

async function digest(image: ImageValue | IndexValue): Promise<string> {
  return (await image.document(scope)).descriptor.digest;
}

async function paths(image: ImageValue): Promise<string[]> {
  return (await listFiles(scope, image)).map(({ path }) => path);
}

function layerOf(scratch: ContentStore, name: string, content = name): ReturnType<typeof tarLayer> {
  return tarLayer(() => streamOf(tarOf([file(name, content)])), { scratch });
}

async function json(
  value: ImageValue,
): Promise<{ config: Record<string, unknown>; manifest: Record<string, unknown> }> {
  const config = JSON.parse(Buffer.from(await value.configBytes(scope)).toString()) as Record<string, unknown>;
  const { bytes } = await value.document(scope);
  return { config, manifest: JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown> };
}

test("openValue: an image that nothing changed keeps every byte, odd spacing too", async () => {
  const store = new MemoryContentStore();
  const root = await storeImage(scope, store, BASE);
  const text = Buffer.from(await store.readAll(scope, parseDigest(root.digest), 1 << 20)).toString();
  const spaced = Buffer.from(`${JSON.stringify(JSON.parse(text), null, 3)}\n`);
  await using ingest = await store.ingest(scope, "spaced");
  await ingest.write(spaced);
  const { digest: found, size } = await ingest.commit();
  const image = (await storedValue(scope, store, { mediaType: root.mediaType, digest: found, size })) as ImageValue;
  assert.deepEqual(Buffer.from((await image.document(scope)).bytes), spaced);
  const same = image.apply(changeConfig({ env: ["A=1"], labels: { a: "1" }, cmd: ["sh"] }), changeAnnotations({}));
  assert.equal(await digest(same), found);
});

const NOTHING: readonly (readonly [name: string, transform: ImageTransform])[] = [
  ["changeConfig with what is so", changeConfig({ env: ["A=1"], removeEnv: ["B"], removeLabels: ["none"] })],
  ["changeAnnotations that are not there", changeAnnotations({ "a.b": null })],
  ["setMediaTypes to its own", setMediaTypes("oci")],
  ["appendLayers of none", appendLayers([])],
];
for (const [name, transform] of NOTHING) {
  test(`${name}: the same digest`, async () => {
    const store = new MemoryContentStore();
    const image = await imageOf(store);
    assert.equal(await digest(image.apply(transform)), await digest(image));
  });
}

test("changeConfig: every setting is read back; fields that nobody knows stay", async () => {
  const store = new MemoryContentStore();
  const before = await imageOf(store);
  const changed = before.apply(
    changeConfig({
      env: ["A=2", "B=x=y"],
      removeEnv: ["PATH"],
      labels: { b: "2" },
      removeLabels: ["a"],
      entrypoint: ["/init", "-x"],
      user: "1000:1000",
      workdir: "/srv",
      stopSignal: "SIGQUIT",
      exposedPorts: ["80/tcp"],
      volumes: ["/data"],
      author: "me",
      created: "2020-01-01T00:00:00Z",
      platform: { os: "linux", architecture: "arm64", variant: "v8" },
    }),
  );
  const { config, manifest } = await json(await writtenOut(scope, new MemoryContentStore(), changed));
  assert.deepEqual(config["config"], {
    Env: ["A=2", "B=x=y"],
    Labels: { b: "2" },
    Healthcheck: { Test: ["NONE"] },
    ExposedPorts: { "80/tcp": {} },
    Volumes: { "/data": {} },
    Entrypoint: ["/init", "-x"],
    User: "1000:1000",
    WorkingDir: "/srv",
    StopSignal: "SIGQUIT",
  });
  assert.deepEqual(config["x.vendor"], { kept: [1, null, "two"] });
  assert.deepEqual(manifest["x-vendor"], { kept: null });
  const { author, created, architecture, variant } = config;
  assert.deepEqual([author, created, architecture, variant], ["me", "2020-01-01T00:00:00Z", "arm64", "v8"]);
  const back = changed.apply(
    changeConfig({
      entrypoint: null,
      user: null,
      workdir: null,
      stopSignal: null,
      author: null,
      removePorts: ["80/tcp"],
    }),
  );
  const left = (await back.config(scope)).config ?? {};
  assert.deepEqual(Object.keys(left).toSorted(), ["Env", "ExposedPorts", "Healthcheck", "Labels", "Volumes"]);
});

for (const [changes, text] of [
  [{ env: ["=x"] }, /NAME=VALUE/],
  [{ env: ["A"] }, /NAME=VALUE/],
  [{ exposedPorts: ["http"] }, /PORT/],
  [{ volumes: ["data"] }, /absolute/],
  [{ workdir: "srv" }, /absolute/],
  [{ created: "yesterday" }, /RFC 3339/],
] as const) {
  test(`changeConfig: invalid when given ${JSON.stringify(changes)}`, () => {
    assert.throws(() => changeConfig(changes), fails("invalid", text));
  });
}

test("changeAnnotations: set, replaced, removed; an artifact has them too, and no config to change", async () => {
  const store = new MemoryContentStore();
  const config = await writeDocument(scope, store, MEDIA_TYPES.empty, {});
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    artifactType: "a/b",
    config,
    layers: [],
    annotations: { x: "1", y: "2" },
  };
  const artifact = (await storedValue(
    scope,
    store,
    await writeDocument(scope, store, MEDIA_TYPES.manifest, manifest),
  )) as ImageValue;
  const changed = await writtenOut(scope, store, artifact.apply(changeAnnotations({ x: null, y: "3", z: "4" })));
  assert.deepEqual((await changed.manifest(scope)).annotations, { y: "3", z: "4" });
  await assert.rejects(artifact.apply(changeConfig({ user: "1" })).document(scope), fails("unsupported", /artifact/));
  await assert.rejects(listFiles(scope, artifact), fails("unsupported", /artifact/));
});

test("changes of config, annotations, media types, history and base read no layer", async () => {
  const store = new MemoryContentStore();
  const root = await storeImage(scope, store, BASE);
  const source = storeSource({ name: "memory", store, resolve: async () => root });
  const blind = {
    ...source,
    blob: (inner: typeof scope, blob: BlobIdentity, offset: number): AsyncIterable<Uint8Array> => {
      assert.ok(blob.size < 1000 && !layers.includes(blob.digest), "a layer was read");
      return source.blob(inner, blob, offset);
    },
  };
  const layers = (await (await imageOf(store)).manifest(scope)).layers.map(({ digest: one }) => one);
  const image = await openValue(scope, blind, { os: "linux", architecture: "amd64" });
  const changed = image.apply(
    changeConfig({ user: "u" }),
    changeAnnotations({ a: "b" }),
    setMediaTypes("docker"),
    setTimestamp(5),
    removeLayer(-1),
    rebase({ oldBase: emptyImage({ os: "linux", architecture: "amd64" }), newBase: image }),
  );
  assert.equal((await changed.manifest(scope)).layers.length, 3);
});

test("changeConfig: whatever is set is read back", async () => {
  const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_.-]{0,8}$/);
  const text = fc.string({ unit: "grapheme", maxLength: 12 }).map((value) => value.replaceAll("\0", ""));
  const changes = fc.record({
    env: fc.dictionary(name, text),
    labels: fc.dictionary(fc.oneof(name, text), text),
    cmd: fc.array(text),
    user: text,
    exposedPorts: fc.array(fc.integer({ min: 0, max: 65535 }).map((port) => `${port}/tcp`)),
  });
  const store = new MemoryContentStore();
  const image = await imageOf(store);
  await fc.assert(
    fc.asyncProperty(changes, async ({ env, labels, ...rest }) => {
      const lines = Object.entries(env).map(([key, value]) => `${key}=${value}`);
      const written = await writtenOut(
        scope,
        new MemoryContentStore(),
        image.apply(changeConfig({ env: lines, labels, ...rest })),
      );
      const { Env = [], Labels = {}, Cmd, User, ExposedPorts = {} } = (await written.config(scope)).config ?? {};
      for (const line of lines) assert.ok(Env.includes(line), line);
      for (const [key, value] of Object.entries(labels)) assert.equal(Labels[key], value);
      assert.deepEqual([Cmd, User], [rest.cmd, rest.user]);
      for (const port of rest.exposedPorts) assert.ok(port in ExposedPorts);
    }),
    { numRuns: 50, seed: 7 },
  );
});

test("appendLayers: on top, with its history, nothing read before somebody asks", async () => {
  const store = new MemoryContentStore();
  let opened = 0;
  const layer = tarLayer(
    () => {
      opened++;
      return streamOf(tarOf([file("etc/c", "c")]));
    },
    { scratch: store },
  );
  const image = (await imageOf(store)).apply(appendLayers([layer], { created_by: "me" }), changeConfig({ user: "u" }));
  assert.equal(opened, 0);
  const read = await writtenOut(scope, new MemoryContentStore(), image);
  assert.equal(opened, 1);
  assert.deepEqual(await paths(read), ["/etc", "/etc/a", "/etc/b", "/etc/c"]);
  const config = await read.config(scope);
  checkHistory(config);
  assert.deepEqual(config.history?.at(-1), { created_by: "me" });
});

test("appendLayers: a layer of another family gets the manifest's media type; images of before stay mixed", async () => {
  const store = new MemoryContentStore();
  const docker = await imageOf(store, { ...BASE, docker: true });
  const { layers } = await docker.apply(appendLayers([layerOf(store, "x")])).manifest(scope);
  assert.deepEqual([...new Set(layers.map(({ mediaType }) => mediaType))], [MEDIA_TYPES.dockerLayerGzip]);
});

test("removeLayer, replaceLayer: by place and by digest; history stays in step", async () => {
  const store = new MemoryContentStore();
  const image = await imageOf(store);
  const [bottom] = (await image.manifest(scope)).layers;
  for (const choice of [0, -2, bottom?.digest ?? "", (await image.config(scope)).rootfs.diff_ids[0] ?? ""]) {
    const removed = await writtenOut(scope, store, image.apply(removeLayer(choice)));
    assert.deepEqual(await paths(removed), ["/etc", "/etc/b"]);
    const config = await removed.config(scope);
    checkHistory(config);
    assert.deepEqual(config.history, [{ created_by: "layer 1" }, { created_by: "CMD sh", empty_layer: true }]);
  }
  const replaced = await writtenOut(
    scope,
    store,
    image.apply(replaceLayer(1, layerOf(store, "new"), { comment: "n" })),
  );
  assert.deepEqual(await paths(replaced), ["/etc", "/etc/a", "/new"]);
  assert.deepEqual((await replaced.config(scope)).history?.[1], { comment: "n" });
  await assert.rejects(image.apply(removeLayer(2)).document(scope), fails("not-found", /has 2 layers, none at 2/));
  await assert.rejects(
    image.apply(removeLayer(digestOf("z"))).document(scope),
    fails("not-found", /none of its layers/),
  );
  const twice = await imageOf(store, { layers: [[file("a", "a")], [file("a", "a")]] });
  const same = (await twice.config(scope)).rootfs.diff_ids[0] ?? "";
  await assert.rejects(twice.apply(removeLayer(same)).document(scope), fails("conflict", /2 of its layers/));
});

test("transforms of layers: invalid when the history names other layers than there are", async () => {
  const store = new MemoryContentStore();
  const image = await imageOf(store, { ...BASE, config: { history: [{ created_by: "only one" }] } });
  await assert.rejects(image.apply(removeLayer(0)).document(scope), fails("invalid", /history names 1 layers/));
  await assert.rejects(
    imageOf(store, { ...BASE, config: { rootfs: { type: "layers", diff_ids: [] } } }).then((one) => one.config(scope)),
    fails("invalid", /the manifest has 2 layers, the config 0/),
  );
});

test("rebase: layers and history of the new base below the image's own", async () => {
  const store = new MemoryContentStore();
  const oldBase = await imageOf(store);
  const newBase = await imageOf(store, { layers: [[file("etc/a", "new"), file("etc/n", "n")]] });
  const image = oldBase.apply(
    appendLayers([layerOf(store, "app")], { created_by: "app" }),
    changeConfig({ cmd: ["/app"] }),
    changeAnnotations({ [BASE_DIGEST]: await digest(oldBase), [BASE_NAME]: "old" }),
  );
  const result = await writtenOut(
    scope,
    new MemoryContentStore(),
    image.apply(rebase({ oldBase, newBase, newBaseName: "new" })),
  );
  assert.deepEqual(await paths(result), ["/app", "/etc", "/etc/a", "/etc/n"]);
  const config = await result.config(scope);
  checkHistory(config);
  assert.deepEqual(
    config.history?.map((entry) => entry.created_by),
    ["layer 0", "CMD sh", "app"],
  );
  assert.deepEqual(config.config?.Cmd, ["/app"]);
  const annotations = (await result.manifest(scope)).annotations;
  assert.deepEqual(annotations, { [BASE_DIGEST]: await digest(newBase), [BASE_NAME]: "new" });
});

for (const history of [true, false]) {
  test(`rebase: the same digest when the base is the same (${history ? "with" : "without"} history)`, async () => {
    const store = new MemoryContentStore();
    const oldBase = await imageOf(store, { ...BASE, history });
    const image = oldBase.apply(appendLayers([layerOf(store, "app")], { created_by: "app" }));
    const written = await writtenOut(scope, store, image);
    assert.equal(await digest(written.apply(rebase({ oldBase, newBase: oldBase }))), await digest(image));
  });
}

test("rebase: conflict when the old base is not the image's, is taller, or the new one is for another platform", async () => {
  const store = new MemoryContentStore();
  const image = await imageOf(store);
  const other = await imageOf(store, { layers: [[file("etc/z", "z")]] });
  const taller = image.apply(appendLayers([layerOf(store, "more")]));
  const arm = image.apply(changeConfig({ platform: { os: "linux", architecture: "arm64" } }));
  await assert.rejects(
    image.apply(rebase({ oldBase: other, newBase: other })).document(scope),
    fails("conflict", /its layer 0 is/),
  );
  await assert.rejects(
    image.apply(rebase({ oldBase: taller, newBase: other })).document(scope),
    fails("conflict", /it has 2 layers, memory has 3/),
  );
  await assert.rejects(
    image.apply(rebase({ oldBase: image, newBase: arm })).document(scope),
    fails("conflict", /linux\/arm64/),
  );
});

test("flatten: what the layers give together, in one; the same for whatever cut of the same files", async () => {
  await using root = await tempRoot();
  const store = new MemoryContentStore();
  const image = await imageOf(store, {
    layers: [
      [
        file("etc/a", "a"),
        file("etc/gone", "x"),
        file("dir/old", "o"),
        { name: "link", type: "hardlink", linkName: "etc/a" },
      ],
      [{ name: "etc/.wh.gone", type: "file" }, { name: "dir/.wh..wh..opq", type: "file" }, file("dir/new", "n")],
    ],
  });
  const options = { scratch: store, temporary: root.path };
  const flat = await writtenOut(scope, new MemoryContentStore(), image.apply(flatten(options)));
  assert.deepEqual(await paths(flat), await paths(image));
  assert.deepEqual(await paths(flat), ["/dir", "/dir/new", "/etc", "/etc/a", "/link"]);
  const config = await flat.config(scope);
  assert.deepEqual([config.rootfs.diff_ids.length, config.history?.length], [1, 1]);
  checkHistory(config);
  // append, then flatten: as flatten, append, flatten.
  const more = layerOf(store, "etc/more");
  const once = image.apply(appendLayers([more]), flatten(options));
  const twice = image.apply(flatten(options), appendLayers([more]), flatten(options));
  assert.equal(await digest(once), await digest(twice));
  assert.equal(await digest(flat.apply(flatten(options))), await digest(flat));
});

test("flatten, appendLayers: the same digest twice with a timestamp, and no time is later", async () => {
  await using root = await tempRoot();
  const moment = 1_000_000;
  const late = { name: "etc/late", type: "file", content: "x", mtimeNs: 5_000_000_000_000_000n } as const;
  const make = async (store: ContentStore): Promise<ImageValue> => {
    const image = await imageOf(store, { layers: [[late]] });
    const latestNs = BigInt(moment) * 1_000_000_000n;
    const options = { scratch: store, temporary: root.path, latestNs };
    return image.apply(
      appendLayers([tarLayer(() => streamOf(tarOf([late])), options)]),
      flatten(options),
      setTimestamp(moment),
    );
  };
  const [a, b] = [await make(new MemoryContentStore()), await make(new MemoryContentStore())];
  assert.equal(await digest(a), await digest(b));
  const { created, history } = await a.config(scope);
  assert.deepEqual([created, history?.[0]?.created], ["1970-01-12T13:46:40Z", "1970-01-12T13:46:40Z"]);
  const [layer] = await a.layers(scope);
  const tar = Buffer.concat(await Array.fromAsync(layerTar(scope, layer ?? assert.fail())));
  assert.ok(tar.includes(moment.toString(8)));
  assert.throws(() => setTimestamp(-1), fails("invalid", /since 1970/));
});

test("recompress: other blobs, the same image id; and back", async () => {
  const store = new MemoryContentStore();
  const image = await imageOf(store);
  const zstd = await writtenOut(scope, store, image.apply(recompress({ compression: "zstd", scratch: store })));
  const { layers, config } = await zstd.manifest(scope);
  assert.deepEqual([...new Set(layers.map(({ mediaType }) => mediaType))], [MEDIA_TYPES.layerZstd]);
  assert.equal(config.digest, (await image.manifest(scope)).config.digest);
  assert.equal(await digest(zstd.apply(recompress({ compression: "zstd", scratch: store }))), await digest(zstd));
  assert.equal(await digest(zstd.apply(recompress({ compression: "gzip", scratch: store }))), await digest(image));
  assert.deepEqual(await paths(zstd), await paths(image));
});

test("recompress, copies: a layer that is not to be distributed stays, and may be absent", async () => {
  const store = new MemoryContentStore();
  const image = await imageOf(store);
  const foreign: Descriptor = {
    mediaType: MEDIA_TYPES.layerNondistributableGzip,
    digest: digestOf("elsewhere"),
    size: 9,
    urls: ["https://example.org/layer"],
  };
  const manifest = await image.manifest(scope);
  const config = await writeDocument(scope, store, MEDIA_TYPES.config, {
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: [digestOf("tar"), ...(await image.config(scope)).rootfs.diff_ids] },
  });
  const root = await writeDocument(scope, store, MEDIA_TYPES.manifest, {
    ...manifest,
    config,
    layers: [foreign, ...manifest.layers],
  });
  const value = (await storedValue(scope, store, root)) as ImageValue;
  const changed = value.apply(recompress({ compression: "zstd", scratch: store }), changeConfig({ user: "1" }));
  const written = await writtenOut(scope, new MemoryContentStore(), changed);
  assert.deepEqual((await written.manifest(scope)).layers[0], foreign);
});

test("setMediaTypes: to Docker's and back; what Docker's manifests do not have is left out", async () => {
  const store = new MemoryContentStore();
  const image = (await imageOf(store)).apply(changeAnnotations({ a: "1" }));
  const docker = await writtenOut(scope, store, image.apply(setMediaTypes("docker")));
  const manifest = await docker.manifest(scope);
  assert.deepEqual(
    [manifest.mediaType, manifest.config.mediaType, manifest.layers[0]?.mediaType, manifest.annotations],
    [MEDIA_TYPES.dockerManifest, MEDIA_TYPES.dockerConfig, MEDIA_TYPES.dockerLayerGzip, undefined],
  );
  assert.equal(await digest(docker.apply(setMediaTypes("oci"))), await digest(await imageOf(store)));
});

test("IndexValue: images changed one by one, artifacts and unknown entries as they are, attestations of changed ones gone", async () => {
  const store = new MemoryContentStore();
  const amd64 = await storeImage(scope, store, BASE);
  const arm64 = await storeImage(scope, store, { ...BASE, config: { architecture: "arm64" } });
  const about = { "vnd.docker.reference.digest": amd64.digest, "vnd.docker.reference.type": "attestation-manifest" };
  const attestation = await storeImage(scope, store, {
    layers: [],
    config: { architecture: "unknown", os: "unknown" },
  });
  const other = await writeDocument(scope, store, "application/x-thing", { a: 1 });
  const entries = [
    { ...amd64, platform: { architecture: "amd64", os: "linux" } },
    { ...arm64, platform: { architecture: "arm64", os: "linux" }, annotations: { kept: "yes" } },
    { ...attestation, platform: { architecture: "unknown", os: "unknown" }, annotations: about },
    other,
  ];
  const root = await writeDocument(scope, store, MEDIA_TYPES.index, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.index,
    manifests: entries,
  });
  const index = (await storedValue(scope, store, root)) as IndexValue;
  assert.equal(await digest(index.mapImages((image) => image)), root.digest);
  const changed = changeIndexAnnotations(index.mapImages(changeConfig({ user: "1" })), { top: "1" });
  const written = await writtenOut(scope, new MemoryContentStore(), changed);
  const { index: document, entries: now } = await written.parts(scope);
  assert.deepEqual(document.annotations, { top: "1" });
  assert.equal(now.length, 3);
  assert.deepEqual(now[1]?.descriptor.annotations, { kept: "yes" });
  assert.deepEqual(now[2]?.descriptor, other);
  const image = (await written.open(scope, now[1] ?? assert.fail())) as ImageValue;
  assert.equal((await image.config(scope)).config?.User, "1");
  const one = await writtenOut(
    scope,
    new MemoryContentStore(),
    index.onlyPlatforms([{ os: "linux", architecture: "amd64" }]),
  );
  assert.deepEqual(
    (await one.parts(scope)).entries.map(({ descriptor }) => descriptor.digest),
    [amd64.digest, attestation.digest],
  );
  const none = index.onlyPlatforms([{ os: "linux", architecture: "s390x" }]);
  await assert.rejects(none.document(scope), fails("not-found", /linux\/s390x/));
  const docker = setIndexMediaTypes(index.onlyPlatforms([{ os: "linux", architecture: "arm64" }]), "docker");
  const list = await writtenOut(scope, new MemoryContentStore(), docker);
  assert.equal((await list.parts(scope)).mediaType, MEDIA_TYPES.dockerManifestList);
});

test("fileLayer: a compressed tar stays byte for byte, a plain one is compressed, anything else is refused", async () => {
  await using root = await tempRoot();
  const scratch = new MemoryContentStore();
  const tar = tarOf([file("a", "content")]);
  const cases = [
    ["a.tar.gz", gzipSync(tar, { level: 9 }), MEDIA_TYPES.layerGzip, true],
    ["a.tar.zst", zstdCompressSync(tar), MEDIA_TYPES.layerZstd, true],
    ["a.tar", tar, MEDIA_TYPES.layerGzip, false],
  ] as const;
  for (const [name, bytes, mediaType, same] of cases) {
    await writeFile(root.join(name), bytes);
    const layer = fileLayer(root.join(name), { scratch });
    const descriptor = await layer.descriptor(scope);
    assert.equal(descriptor.mediaType, mediaType);
    assert.equal(descriptor.digest === digestOf(bytes), same);
    assert.equal(await layer.diffId(scope), digestOf(tar));
    assert.deepEqual(Buffer.concat(await Array.fromAsync(layerTar(scope, layer))), Buffer.from(tar));
  }
  const plain = fileLayer(root.join("a.tar.gz"), { scratch, compression: "none" });
  assert.equal((await plain.descriptor(scope)).digest, digestOf(tar));
  await writeFile(root.join("text"), "x".repeat(2000));
  await assert.rejects(fileLayer(root.join("text"), { scratch }).diffId(scope), fails("corrupt", /./));
  await assert.rejects(fileLayer(root.join("none"), { scratch }).diffId(scope), fails("not-found", /./));
});

const HOSTILE: readonly (readonly [name: string, entry: TestEntry])[] = [
  ["a name with ..", file("../escape", "x")],
  ["a name with .. inside", file("a/../../escape", "x")],
  ["a hard link to outside", { name: "a", type: "hardlink", linkName: "../../etc/shadow" }],
  ["a root that is a symlink", { name: "./", type: "symlink", linkName: "/etc" }],
  ["a bare whiteout", { name: "a/.wh.", type: "file" }],
  ["overlayfs' mark", { name: "a", type: "character" }],
];
for (const [name, entry] of HOSTILE) {
  test(`tarLayer: corrupt when given ${name}, and nothing is kept`, async () => {
    const scratch = new MemoryContentStore();
    const layer = tarLayer(() => streamOf(tarOf([entry])), { scratch });
    await assert.rejects(layer.descriptor(scope), fails("corrupt", /./));
    assert.deepEqual(await Array.fromAsync(scratch.list(scope)), []);
  });
}

test("layerTar: corrupt when the content is not what the config says", async () => {
  const store = new MemoryContentStore();
  const image = await imageOf(store, {
    ...BASE,
    config: { rootfs: { type: "layers", diff_ids: [digestOf("1"), digestOf("2")] } },
  });
  await assert.rejects(listFiles(scope, image), fails("corrupt", /its content has DiffID/));
});

test("directoryLayer: the same tree gives the same layer; prefix and owner", async () => {
  await using root = await tempRoot();
  await mkdir(root.join("tree/sub"), { recursive: true });
  await writeFile(root.join("tree/sub/file"), "content");
  await symlink("sub/file", root.join("tree/link"));
  const scratch = new MemoryContentStore();
  const make = (): ReturnType<typeof directoryLayer> =>
    directoryLayer(root.join("tree"), { scratch, prefix: "/srv/app", owner: { uid: 7, gid: 8 }, latestNs: 0n });
  assert.equal(await make().diffId(scope), await make().diffId(scope));
  const image = emptyImage({ os: "linux", architecture: "amd64" }).apply(appendLayers([make()]));
  const files = await listFiles(scope, await writtenOut(scope, scratch, image));
  assert.deepEqual(
    files.map(({ path, type, uid }) => [path, type, uid]),
    [
      ["/srv", "directory", 0],
      ["/srv/app", "directory", 0],
      ["/srv/app/link", "symlink", 7],
      ["/srv/app/sub", "directory", 7],
      ["/srv/app/sub/file", "file", 7],
    ],
  );
  assert.throws(() => directoryLayer(root.join("tree"), { scratch, prefix: "../x" }), fails("corrupt", /\.\./));
});
