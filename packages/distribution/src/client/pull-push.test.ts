// Whole images to and from an honest registry, and from one that breaks.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { DiskContentStore } from "@teu/image/disk-content-store";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { digestOf } from "@teu/image/digest";
import { parseReference } from "@teu/image/reference";
import { MEDIA_TYPES, type Platform } from "@teu/specs/image";
import { Registry } from "@teu/registry/registry";
import { cutAfter, reply } from "@teu/testkit/hostile-answers";
import { HostileRegistry } from "@teu/testkit/hostile-registry";
import { putJson, randomImage, randomIndex } from "@teu/testkit/random-image";
import { tempRoot } from "@teu/testkit/temp-root";

import type { TransferEvent } from "./progress.ts";
import { pullImage } from "./pull.ts";
import { pushImage } from "./push.ts";
import { RegistryClient } from "./registry-client.ts";

const scope = createScope();
const AMD: Platform = { os: "linux", architecture: "amd64" };
const ARM: Platform = { os: "linux", architecture: "arm64", variant: "v8" };

async function contents(store: MemoryContentStore | DiskContentStore): Promise<string[]> {
  const digests: string[] = [];
  for await (const { digest } of store.list(scope)) digests.push(digest);
  return digests.sort();
}

for (const docker of [false, true]) {
  test(`pushImage, pullImage: an image comes back as it was, ${docker ? "Docker" : "OCI"} types`, async () => {
    await using root = await tempRoot();
    await using registry = await Registry.listen({ root: root.join("registry") });
    await using client = new RegistryClient();
    const reference = parseReference(`${registry.address}/team/app:v1`);
    const source = new MemoryContentStore();
    const { descriptor } = await randomImage(scope, source, { layers: 5, layerSize: 200_000, docker });
    await pushImage(scope, { client, reference, store: source, descriptor });
    const target = await DiskContentStore.open(root.join("store"));
    const result = await pullImage(scope, { client, reference, store: target });
    assert.equal(result.descriptor.digest, descriptor.digest);
    assert.deepEqual(result.manifestDescriptor, result.descriptor);
    assert.deepEqual(await contents(target), await contents(source));
    assert.deepEqual(await Array.fromAsync(client.tags(scope, reference)), ["v1"]);
    assert.deepEqual(await Array.fromAsync(client.catalog(scope, registry.address)), ["team/app"]);
  });
}

test("pushImage: sends nothing twice", async () => {
  await using registry = await Registry.listen();
  await using client = new RegistryClient();
  const reference = parseReference(`${registry.address}/app:v1`);
  const store = new MemoryContentStore();
  const { descriptor } = await randomImage(scope, store, { layers: 3 });
  const kinds = async (target: typeof reference, mountFrom?: typeof reference): Promise<string[]> => {
    const events: TransferEvent[] = [];
    await pushImage(scope, {
      client,
      reference: target,
      store,
      descriptor,
      progress: (event) => events.push(event),
      ...(mountFrom === undefined ? {} : { mountFrom }),
    });
    return events
      .map(({ kind }) => kind)
      .filter((kind) => kind !== "progress" && kind !== "started")
      .sort();
  };
  assert.deepEqual(await kinds(reference), ["done", "done", "done", "done"]);
  assert.deepEqual(await kinds(reference), ["present", "present", "present", "present"]);
  assert.deepEqual(await kinds(parseReference(`${registry.address}/fork:v1`), reference), [
    "mounted",
    "mounted",
    "mounted",
    "mounted",
  ]);
});

test("pullImage: takes the platform that was asked for, or all", async () => {
  await using registry = await Registry.listen();
  await using client = new RegistryClient();
  const reference = parseReference(`${registry.address}/app:v1`);
  const source = new MemoryContentStore();
  const { descriptor, images } = await randomIndex(scope, source, [AMD, ARM]);
  await pushImage(scope, { client, reference, store: source, descriptor });
  const one = new MemoryContentStore();
  const result = await pullImage(scope, { client, reference, store: one, platform: ARM });
  assert.equal(result.descriptor.digest, descriptor.digest);
  assert.equal(result.manifestDescriptor.digest, images[1]?.descriptor.digest);
  assert.deepEqual(result.manifestDescriptor.platform, ARM);
  assert.equal(await one.info(scope, images[0]?.descriptor.digest ?? descriptor.digest), null);
  assert.notEqual(await one.info(scope, descriptor.digest), null);
  const both = new MemoryContentStore();
  const told: string[] = [];
  const { manifests } = await pullImage(scope, {
    client,
    reference,
    store: both,
    platform: [ARM, AMD],
    onImage: ({ document }) => told.push(document.descriptor.digest),
  });
  const wanted = [images[1], images[0]].map((image) => image?.descriptor.digest);
  assert.deepEqual([manifests.map(({ digest }) => digest), told], [wanted, wanted]);
  assert.deepEqual(await contents(both), await contents(source));
  const all = new MemoryContentStore();
  await pullImage(scope, { client, reference, store: all, platform: "all" });
  assert.deepEqual(await contents(all), await contents(source));
  await assert.rejects(
    pullImage(scope, {
      client,
      reference,
      store: new MemoryContentStore(),
      platform: { os: "linux", architecture: "s390x" },
    }),
    (error) =>
      isTeuError(error, "not-found") &&
      /linux\/s390x/.test(error.message) &&
      /linux\/amd64, linux\/arm64\/v8/.test(error.hint ?? ""),
  );
  // An index without all its platforms cannot be pushed.
  await assert.rejects(
    pushImage(scope, { client, reference, store: one, descriptor }),
    (error) => isTeuError(error, "not-found") && error.hint !== undefined,
  );
});

test("pullImage: goes on with what an interrupted pull left, and starts anew when that was wrong", async () => {
  await using root = await tempRoot();
  await using registry = await Registry.listen();
  await using client = new RegistryClient();
  const reference = parseReference(`${registry.address}/app:v1`);
  const source = new MemoryContentStore();
  const { descriptor, layers } = await randomImage(scope, source, { layers: 1, layerSize: 500_000 });
  await pushImage(scope, { client, reference, store: source, descriptor });
  const layer = layers[0]?.digest as Parameters<DiskContentStore["info"]>[1];
  for (const [name, left, offset] of [
    ["good", (await source.readAll(scope, layer, 1 << 20)).subarray(0, 100_000), 100_000],
    ["bad", Buffer.alloc(100_000, "x"), 0],
  ] as const) {
    const store = await DiskContentStore.open(root.join(name));
    {
      await using ingest = await store.ingest(scope, layer, { resume: true });
      await ingest.write(left);
    }
    const started: number[] = [];
    await pullImage(scope, {
      client,
      reference,
      store,
      progress: (event) => event.kind === "started" && event.digest === layer && started.push(event.offset),
    });
    assert.equal(started.at(-1), offset, name);
    assert.deepEqual(await contents(store), await contents(source));
  }
});

test("pullImage: a broken or lying registry leaves no manifest without its blobs", async () => {
  await using registry = await HostileRegistry.listen();
  await using client = new RegistryClient({ retry: { attempts: 2, delay: 1 } });
  const source = new MemoryContentStore();
  const { descriptor, config, layers } = await randomImage(scope, source, { layers: 2 });
  const reference = parseReference(`${registry.address}/app:v1`);
  const bytes = await source.readAll(scope, descriptor.digest, 1 << 20);
  registry.on("GET", "/v2/app/manifests/v1", reply(200, { "content-type": descriptor.mediaType }, bytes));
  for (const blob of [config, ...layers]) {
    registry.on(
      "GET",
      `/v2/app/blobs/${blob.digest}`,
      reply(200, {}, await source.readAll(scope, blob.digest as typeof descriptor.digest, 1 << 20)),
    );
  }
  for (const answer of [
    reply(404),
    reply(200, {}, Buffer.alloc(layers[1]?.size ?? 0)),
    cutAfter(Buffer.alloc(layers[1]?.size ?? 0), 10),
  ]) {
    registry.on("GET", `/v2/app/blobs/${layers[1]?.digest}`, answer);
    const store = new MemoryContentStore();
    await assert.rejects(pullImage(scope, { client, reference, store }), (error) => isTeuError(error));
    assert.equal(await store.info(scope, descriptor.digest), null);
    assert.ok(!(await contents(store)).includes(layers[1]?.digest ?? ""));
  }
});

test("pullImage: nested indexes end somewhere (scenario 10)", async () => {
  await using registry = await Registry.listen();
  await using client = new RegistryClient();
  const store = new MemoryContentStore();
  let { descriptor } = await randomIndex(scope, store, [AMD]);
  const reference = parseReference(`${registry.address}/app:v1`);
  const depths: string[] = [];
  for (let depth = 2; depth <= 12; depth++) {
    const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests: [{ ...descriptor, platform: AMD }] };
    descriptor = await putJson(scope, store, index, MEDIA_TYPES.index);
    try {
      await pushImage(scope, { client, reference, store, descriptor });
      await pullImage(scope, { client, reference, store: new MemoryContentStore() });
    } catch (error) {
      assert.ok(isTeuError(error, "exhausted"), String(error));
      depths.push(`${depth} too deep`);
    }
  }
  assert.ok(depths.length > 0 && depths.length < 11, depths.join());
});

test("pullImage: content in a descriptor is used when it is right, fetched when it is not", async () => {
  await using registry = await HostileRegistry.listen();
  await using client = new RegistryClient();
  const reference = parseReference(`${registry.address}/app:v1`);
  const data = (text: string): object => ({
    mediaType: MEDIA_TYPES.config,
    digest: digestOf("{}"),
    size: 2,
    data: Buffer.from(text).toString("base64"),
  });
  registry.on("GET", `/v2/app/blobs/${digestOf("{}")}`, reply(200, {}, "{}"));
  for (const [text, fetches] of [
    ["{}", 0],
    ["[]", 1],
    ["{ }", 2],
  ] as const) {
    const body = JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.manifest, config: data(text), layers: [] });
    registry.on("GET", "/v2/app/manifests/v1", reply(200, { "content-type": MEDIA_TYPES.manifest }, body));
    await pullImage(scope, { client, reference, store: new MemoryContentStore() });
    assert.equal(registry.seen("GET", /blobs/).length, fetches, text);
  }
});
