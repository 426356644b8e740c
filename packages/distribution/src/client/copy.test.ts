// Copies from every kind of place to every other: what arrives is what left, by digest and by byte.

import assert from "node:assert/strict";
import { chmod, readdir, readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { digestOf } from "@teu/image/digest";
import { DiskContentStore } from "@teu/image/disk-content-store";
import { writeDocument, writeImageConfig, writeIndex } from "@teu/image/documents";
import { emptyImageConfig } from "@teu/image/image-config";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { parseReference, withDigest } from "@teu/image/reference";
import { openArchiveSink } from "@teu/image/transport/archive-sink";
import { openArchiveSource } from "@teu/image/transport/archive-source";
import { copyImage, type CopyEvent } from "@teu/image/transport/copy-image";
import { directorySink, directorySource } from "@teu/image/transport/directory-image";
import { layoutSink, layoutSource } from "@teu/image/transport/layout-image";
import { Image, openImage } from "@teu/image/transport/open-image";
import type { ImageSink, ImageSource } from "@teu/image/transport/source-and-sink";
import { storeSource } from "@teu/image/transport/store-image";
import { type Descriptor, EMPTY_DESCRIPTOR, MEDIA_TYPES, type Platform } from "@teu/specs/image";
import { Registry } from "@teu/registry/registry";
import { refuse, reply } from "@teu/testkit/hostile-answers";
import { HostileRegistry } from "@teu/testkit/hostile-registry";
import { put, randomImage, randomIndex } from "@teu/testkit/random-image";
import { tempRoot, type TempRoot } from "@teu/testkit/temp-root";

import { pushImage } from "./push.ts";
import { registrySink, registrySource } from "./registry-image.ts";
import { RegistryClient } from "./registry-client.ts";

const scope = createScope();
const AMD: Platform = { os: "linux", architecture: "amd64" };
const ARM: Platform = { os: "linux", architecture: "arm64", variant: "v8" };

interface Place {
  readonly kind: string;
  /** Docker's archives hold single images. */
  readonly single?: boolean;
  readonly referrers?: boolean;
  sink(): Promise<ImageSink>;
  source(): Promise<ImageSource>;
}

class Bench implements AsyncDisposable {
  readonly root: TempRoot;
  readonly registry: Registry;
  readonly client: RegistryClient;
  #count = 0;

  private constructor(root: TempRoot, registry: Registry) {
    this.root = root;
    this.registry = registry;
    this.client = new RegistryClient();
  }

  static async open(): Promise<Bench> {
    return new Bench(await tempRoot(), await Registry.listen());
  }

  /** A fresh place of each kind. */
  places(): Place[] {
    const { client, root } = this;
    const id = `p${this.#count++}`;
    const reference = parseReference(`${this.registry.address}/${id}:v1`);
    const file = (name: string): string => root.join(`${id}-${name}`);
    const archive = { temporary: root.path };
    return [
      {
        kind: "registry",
        referrers: true,
        sink: async () => registrySink(client, reference),
        source: async () => registrySource(client, reference),
      },
      {
        kind: "oci",
        referrers: true,
        sink: () => layoutSink("oci", file("oci"), "v1"),
        source: async () => layoutSource("oci", file("oci"), "v1"),
      },
      {
        kind: "oci-archive",
        referrers: true,
        sink: () => openArchiveSink("oci-archive", file("oci.tar"), { labels: ["v1"] }),
        source: () => openArchiveSource(scope, "oci-archive", file("oci.tar"), "v1", archive),
      },
      {
        kind: "docker-archive",
        single: true,
        sink: () =>
          openArchiveSink("docker-archive", file("docker.tar"), { docker: { names: [parseReference("a:v1")] } }),
        source: () => openArchiveSource(scope, "docker-archive", file("docker.tar"), "a:v1", archive),
      },
      {
        kind: "dir",
        sink: () => directorySink("dir", file("dir")),
        source: async () => directorySource("dir", file("dir")),
      },
    ];
  }

  /** Pushes an image or index. */
  async push(
    name: string,
    store: MemoryContentStore,
    descriptor: Parameters<typeof pushImage>[1]["descriptor"],
  ): Promise<ImageSource> {
    const reference = parseReference(`${this.registry.address}/${name}`);
    await pushImage(scope, { client: this.client, reference, store, descriptor });
    return registrySource(this.client, reference);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    await this.registry[Symbol.asyncDispose]();
    await this.root[Symbol.asyncDispose]();
  }
}

async function transfer(
  from: ImageSource,
  place: Place,
  options: { platform?: Platform | "all"; referrers?: boolean; progress?: (event: CopyEvent) => void } = {},
): Promise<Awaited<ReturnType<typeof copyImage>>> {
  await using sink = await place.sink();
  return await copyImage(scope, { source: from, sink, platform: "all", ...options });
}

async function listing(store: MemoryContentStore | DiskContentStore): Promise<string[]> {
  return (await Array.fromAsync(store.list(scope))).map(({ digest }) => digest).sort();
}

for (const docker of [false, true]) {
  test(`copyImage: from every place to every other, ${docker ? "Docker" : "OCI"} types`, async () => {
    await using bench = await Bench.open();
    const store = new MemoryContentStore();
    const { descriptor } = await randomImage(scope, store, { layers: 3, layerSize: 300_000, docker });
    const origin = await bench.push("origin:v1", store, descriptor);
    for (const first of bench.places()) {
      assert.equal((await transfer(origin, first)).descriptor.digest, descriptor.digest, first.kind);
      for (const second of bench.places()) {
        await using source = await first.source();
        const result = await transfer(source, second);
        const what = `${first.kind} to ${second.kind}`;
        assert.equal(result.descriptor.digest, descriptor.digest, what);
        assert.equal(result.descriptor.mediaType, descriptor.mediaType, what);
        await using back = await second.source();
        const image = await openImage(scope, back);
        assert.ok(image instanceof Image);
        assert.equal((await image.config(scope)).architecture, "amd64", what);
        for (const blob of image.blobs) {
          const wanted = await store.readAll(scope, blob.digest as typeof result.descriptor.digest, 1 << 20);
          const chunks = await Array.fromAsync(
            back.blob(scope, { ...blob, digest: blob.digest as typeof result.descriptor.digest }, 0),
          );
          assert.deepEqual(Buffer.concat(chunks), Buffer.from(wanted), what);
        }
      }
    }
    assert.deepEqual(
      (await readdir(bench.root.path)).filter((name) => name.startsWith("teu-archive-")),
      [],
    );
  });
}

test("copyImage: all platforms, one platform, and a platform that is not there", async () => {
  await using bench = await Bench.open();
  const store = new MemoryContentStore();
  const { descriptor, images } = await randomIndex(scope, store, [AMD, ARM]);
  const origin = await bench.push("origin:v1", store, descriptor);
  for (const place of bench.places()) {
    if (place.single === true) {
      await assert.rejects(
        transfer(origin, place),
        (error) => isTeuError(error, "invalid") && error.hint === "choose a platform",
      );
    } else {
      assert.equal((await transfer(origin, place)).descriptor.digest, descriptor.digest, place.kind);
      await using source = await place.source();
      const image = await openImage(scope, source, ARM);
      assert.equal(image.document.descriptor.digest, images[1]?.descriptor.digest, place.kind);
    }
  }
  for (const place of bench.places()) {
    const result = await transfer(origin, place, { platform: ARM });
    assert.equal(result.descriptor.digest, images[1]?.descriptor.digest, place.kind);
    assert.equal(result.documents.length, 1);
  }
  await assert.rejects(
    transfer(origin, bench.places()[1] as Place, { platform: { os: "linux", architecture: "s390x" } }),
    (error) => isTeuError(error, "not-found") && /it exists for linux\/amd64, linux\/arm64\/v8/.test(error.hint ?? ""),
  );
});

/** What image-spec allows and few tools make. */
async function rareDocuments(store: MemoryContentStore): Promise<Map<string, Descriptor>> {
  const { descriptor } = await randomImage(scope, store, { layers: 1, platform: AMD });
  await put(scope, store, Buffer.from("{}"), EMPTY_DESCRIPTOR.mediaType);
  const layer = await put(scope, store, Buffer.from("payload"), "application/x-any");
  const content = Buffer.from("embedded");
  const data = { ...(await put(scope, store, content, "application/x-any")), data: content.toString("base64") };
  const subject = { mediaType: MEDIA_TYPES.manifest, digest: digestOf("nobody has it"), size: 77 };
  const config = emptyImageConfig(AMD);
  const custom = { "org.example.custom": { kept: [null, 1.5e3] }, annotations: { "org.example": "é" } };
  const writeAny = (value: object): Promise<Descriptor> =>
    writeDocument(scope, store, MEDIA_TYPES.manifest, { schemaVersion: 2, mediaType: MEDIA_TYPES.manifest, ...value });
  return new Map([
    ["an image without layers", await writeAny({ config: await writeImageConfig(scope, store, config), layers: [] })],
    [
      "an artifact with the empty config",
      await writeAny({ artifactType: "a/b", config: EMPTY_DESCRIPTOR, layers: [layer] }),
    ],
    ["an artifact known by its config", await writeAny({ config: layer, layers: [] })],
    ["embedded data", await writeAny({ artifactType: "a/b", config: EMPTY_DESCRIPTOR, layers: [data] })],
    [
      "a subject that nobody has",
      await writeAny({ artifactType: "a/b", config: EMPTY_DESCRIPTOR, layers: [layer], subject }),
    ],
    ["fields of others", await writeAny({ config: EMPTY_DESCRIPTOR, artifactType: "a/b", layers: [layer], ...custom })],
    ["an index of nothing", await writeIndex(scope, store, [])],
    ["indexes in an index", await writeIndex(scope, store, [await writeIndex(scope, store, [descriptor]), descriptor])],
    ["sha512 throughout", await sha512Image(store)],
  ]);
}

async function sha512Image(store: MemoryContentStore): Promise<Descriptor> {
  const put512 = async (bytes: Uint8Array, mediaType: string): Promise<Descriptor> => {
    const digest = digestOf(bytes, "sha512");
    await using ingest = await store.ingest(scope, digest, { digest });
    await ingest.write(bytes);
    await ingest.commit();
    return { mediaType, digest, size: bytes.length };
  };
  const layer = await put512(Buffer.from("layer"), MEDIA_TYPES.layer);
  const config = await put512(Buffer.from(JSON.stringify(emptyImageConfig(AMD))), MEDIA_TYPES.config);
  const manifest = { schemaVersion: 2, mediaType: MEDIA_TYPES.manifest, config, layers: [layer] };
  return await put512(Buffer.from(JSON.stringify(manifest)), MEDIA_TYPES.manifest);
}

test("copyImage: what image-spec allows and few make, from place to place, digests as they are", async () => {
  await using bench = await Bench.open();
  const store = new MemoryContentStore();
  for (const [what, descriptor] of await rareDocuments(store)) {
    const origin = storeSource({ name: what, store, resolve: async () => descriptor });
    for (const first of bench.places()) {
      const isIndex = descriptor.mediaType === MEDIA_TYPES.index;
      if (first.single === true && isIndex) continue;
      const told = `${what}, ${first.kind}`;
      assert.equal((await transfer(origin, first)).descriptor.digest, descriptor.digest, told);
      await using source = await first.source();
      const found = await openImage(scope, source);
      assert.deepEqual(
        Buffer.from(found.document.bytes),
        Buffer.from(await store.readAll(scope, descriptor.digest as never, 1 << 20)),
        told,
      );
      const [last] = bench.places().slice(1);
      assert.ok(last);
      // Skopeo's directories do not say by which algorithm their manifest is known.
      const digest = first.kind === "dir" ? digestOf(found.document.bytes) : descriptor.digest;
      assert.equal((await transfer(source, last)).descriptor.digest, digest, told);
    }
  }
});

test("registrySink: a sha512 is kept beside the tag, also where a registry does not take both at once", async () => {
  const store = new MemoryContentStore();
  const descriptor = await sha512Image(store);
  for (const knows of [true, false, null]) {
    await using registry = await HostileRegistry.listen();
    await using client = new RegistryClient();
    const headers = knows === true ? { "oci-tag": "x, v1" } : {};
    registry.on("HEAD", /blobs/, reply(200, { "content-length": "1" }));
    registry.on("PUT", /manifests/, reply(201, headers));
    if (knows === null) registry.on("PUT", /manifests.sha512/, refuse(400, "DIGEST_INVALID"));
    await using sink = registrySink(client, parseReference(`${registry.address}/a:v1`));
    const source = storeSource({ name: "memory", store, resolve: async () => descriptor });
    await copyImage(scope, { source, sink, platform: "all" });
    const puts = registry.seen("PUT").map(({ path }) => path);
    const first = `/v2/a/manifests/${descriptor.digest}?tag=v1`;
    assert.deepEqual(puts, knows === true ? [first] : [first, "/v2/a/manifests/v1"]);
  }
});

test("copyImage: referrers, and what refers to them, where the place can hold them", async () => {
  await using bench = await Bench.open();
  const store = new MemoryContentStore();
  const { descriptor, images } = await randomIndex(scope, store, [AMD, ARM]);
  await bench.push("origin:v1", store, descriptor);
  const [amd] = images;
  assert.ok(amd);
  const plain = { mediaType: amd.descriptor.mediaType, digest: amd.descriptor.digest, size: amd.descriptor.size };
  const signature = await randomImage(scope, store, { layers: 1, subject: plain });
  const { mediaType, digest, size } = signature.descriptor;
  const attestation = await randomImage(scope, store, { layers: 1, subject: { mediaType, digest, size } });
  for (const one of [signature, attestation])
    await bench.push(`origin@${one.descriptor.digest}`, store, one.descriptor);
  const origin = registrySource(bench.client, parseReference(`${bench.registry.address}/origin:v1`));
  for (const place of bench.places()) {
    if (place.referrers !== true) {
      await assert.rejects(transfer(origin, place, { referrers: true }), (error) => isTeuError(error, "unsupported"));
      continue;
    }
    const result = await transfer(origin, place, { referrers: true });
    assert.equal(result.referrers, 2, place.kind);
    assert.equal(result.documents.length, 5, place.kind);
    await using source = await place.source();
    assert.deepEqual(
      (await source.referrers?.(scope, amd.descriptor.digest))?.map((one) => one.digest),
      [digest],
      place.kind,
    );
    const back = await transfer(source, bench.places()[0] as Place, { referrers: true });
    assert.equal(back.referrers, 2, `${place.kind} to registry`);
    // Nothing of it is asked for: nothing of it comes.
    assert.equal((await transfer(source, bench.places()[1] as Place)).referrers, 0);
  }
});

test("copyImage: sends nothing twice, mounts within a registry", async () => {
  await using bench = await Bench.open();
  const store = new MemoryContentStore();
  const { descriptor } = await randomImage(scope, store, { layers: 3 });
  const origin = await bench.push("origin:v1", store, descriptor);
  const target = parseReference(`${bench.registry.address}/fork:v1`);
  const once = async (): Promise<unknown> => {
    await using sink = registrySink(bench.client, target);
    return (await copyImage(scope, { source: origin, sink, platform: "all" })).blobs;
  };
  assert.deepEqual(await once(), { copied: 0, present: 0, mounted: 4, skipped: 0 });
  assert.deepEqual(await once(), { copied: 0, present: 4, mounted: 0, skipped: 0 });
  for (const place of bench.places().filter(({ kind }) => kind === "oci" || kind === "dir")) {
    const events: string[] = [];
    assert.equal(
      (await transfer(origin, place, { progress: ({ kind }) => events.push(kind) })).blobs.copied,
      4,
      place.kind,
    );
    assert.equal(events.filter((kind) => kind === "copied").length, 4);
    assert.equal((await transfer(origin, place)).blobs.present, 4, place.kind);
  }
});

test("registrySink: a digest in the name is what the image must have", async () => {
  await using bench = await Bench.open();
  const store = new MemoryContentStore();
  const [one, other] = [await randomImage(scope, store), await randomImage(scope, store)];
  const origin = await bench.push("origin:v1", store, one.descriptor);
  const target = parseReference(`${bench.registry.address}/fork`);
  await copyImage(scope, {
    source: origin,
    sink: registrySink(bench.client, withDigest(target, one.descriptor.digest)),
    platform: "all",
  });
  await assert.rejects(
    copyImage(scope, {
      source: origin,
      sink: registrySink(bench.client, withDigest(target, other.descriptor.digest)),
      platform: "all",
    }),
    (error) => isTeuError(error, "conflict"),
  );
});

test("copyImage: a registry that sends other content leaves nothing that has a name", async () => {
  await using bench = await Bench.open();
  const store = new MemoryContentStore();
  const { descriptor, layers } = await randomImage(scope, store, { layers: 2, layerSize: 50_000 });
  await using hostile = await HostileRegistry.listen();
  const served = await store.readAll(scope, descriptor.digest, 1 << 20);
  hostile.on("GET", /manifests/, reply(200, { "content-type": descriptor.mediaType }, served));
  for await (const { digest } of store.list(scope))
    hostile.on("GET", `/v2/app/blobs/${digest}`, reply(200, {}, await store.readAll(scope, digest, 1 << 20)));
  hostile.on("GET", `/v2/app/blobs/${layers[1]?.digest}`, reply(200, {}, Buffer.alloc(layers[1]?.size ?? 0, 7)));
  for (const place of bench.places()) {
    const source = registrySource(bench.client, parseReference(`${hostile.address}/app:v1`));
    await assert.rejects(transfer(source, place), (error) => isTeuError(error, "corrupt"), place.kind);
    await assert.rejects(
      async () => {
        await using found = await place.source();
        await found.resolve(scope);
      },
      (error) => isTeuError(error, "not-found"),
      place.kind,
    );
  }
  assert.deepEqual(
    (await readdir(bench.root.path)).filter((name) => name.endsWith(".tar")),
    [],
  );
});

test("copyImage: a blob damaged on disk goes nowhere", async () => {
  await using bench = await Bench.open();
  const store = new MemoryContentStore();
  const { descriptor, layers } = await randomImage(scope, store, { layers: 2, layerSize: 50_000 });
  const origin = await bench.push("origin:v1", store, descriptor);
  const [, layout] = bench.places();
  assert.ok(layout);
  await transfer(origin, layout);
  const file = (await readdir(bench.root.path, { recursive: true })).find((name) =>
    name.endsWith(layers[0]?.digest.slice(7) ?? "?"),
  );
  const path = bench.root.join(file ?? "?");
  await chmod(path, 0o644);
  await writeFile(path, Buffer.alloc(layers[0]?.size ?? 0, 1));
  for (const place of bench.places()) {
    await using source = await layout.source();
    await assert.rejects(transfer(source, place), (error) => isTeuError(error, "corrupt"), place.kind);
    await assert.rejects(
      async () => {
        await using found = await place.source();
        await found.resolve(scope);
      },
      (error) => isTeuError(error, "not-found"),
      place.kind,
    );
  }
});

test("layoutSink: names move, others stay, the working directory goes", async () => {
  await using bench = await Bench.open();
  const store = new MemoryContentStore();
  const images = [await randomImage(scope, store), await randomImage(scope, store)];
  const directory = bench.root.join("layout");
  const put = async (index: number, ...labels: readonly string[]): Promise<void> => {
    const source = await bench.push(`i${index}:v1`, store, images[index]?.descriptor ?? assert.fail());
    await using sink = await layoutSink("oci", directory, ...labels);
    await copyImage(scope, { source, sink, platform: "all" });
  };
  for (const [index, ...labels] of [[0, "a", "d"], [0, "b"], [1, "a", "c", "a"], [1], [1]] as const)
    await put(index, ...labels);
  const index = JSON.parse(await readFile(`${directory}/index.json`, "utf8")) as {
    manifests: { digest: string; annotations?: object }[];
  };
  const [first, second] = images.map(({ descriptor }) => descriptor.digest);
  assert.deepEqual(
    index.manifests.map((entry) => [entry.digest, Object.values(entry.annotations ?? {})]),
    [
      [first, ["d"]],
      [first, ["b"]],
      [second, ["a"]],
      [second, ["c"]],
      [second, []],
    ],
  );
  assert.deepEqual((await readdir(directory)).sort(), ["blobs", "index.json", "oci-layout"]);
  for (const [reference, digest] of [
    ["b", first],
    ["a", second],
    ["c", second],
    ["@0", first],
    [`@${second}`, second],
  ] as const)
    assert.equal((await layoutSource("oci", directory, reference).resolve(scope)).digest, digest, reference);
  await assert.rejects(layoutSource("oci", directory).resolve(scope), (error) => isTeuError(error, "conflict"));
  await assert.rejects(
    layoutSource("oci", directory, "e").resolve(scope),
    (error) => isTeuError(error, "not-found") && /it holds d, b, a, c/.test(error.hint ?? ""),
  );
  assert.deepEqual(await listing(await DiskContentStore.open(directory)), await listing(store));
});

test("sinks: one entry for each name, wherever a place has names", async () => {
  await using bench = await Bench.open();
  const store = new MemoryContentStore();
  const image = await randomImage(scope, store);
  const source = await bench.push("named:v1", store, image.descriptor);
  const { digest } = image.descriptor;
  const target = parseReference(`${bench.registry.address}/names:v1`);
  const archive = (name: string): string => bench.root.join(name);
  const temporary = { temporary: bench.root.path };
  const cases: readonly [
    sink: () => Promise<ImageSink>,
    read: (name: string) => Promise<ImageSource>,
    names: string[],
  ][] = [
    [
      async () => registrySink(bench.client, target, ["v2", "latest", "v1"]),
      async (tag) => registrySource(bench.client, { domain: target.domain, repository: target.repository, tag }),
      ["v1", "v2", "latest"],
    ],
    [
      () => openArchiveSink("oci-archive", archive("o.tar"), { labels: ["v1", "b/c:v2"] }),
      (name) => openArchiveSource(scope, "oci-archive", archive("o.tar"), name, temporary),
      ["v1", "b/c:v2"],
    ],
    [
      () =>
        openArchiveSink("docker-archive", archive("d.tar"), {
          docker: { names: ["a:v1", "b/c:v2"].map(parseReference) },
        }),
      (name) => openArchiveSource(scope, "docker-archive", archive("d.tar"), name, temporary),
      ["a:v1", "b/c:v2"],
    ],
  ];
  for (const [open, read, names] of cases) {
    await using sink = await open();
    await copyImage(scope, { source, sink, platform: "all" });
    for (const name of names) {
      await using found = await read(name);
      assert.equal((await found.resolve(scope)).digest, digest, name);
    }
  }
});
