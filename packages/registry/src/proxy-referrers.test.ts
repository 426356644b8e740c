// Referrers through a registry that keeps another one's repositories: what the upstream has is listed and kept, whatever the upstream is.

import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "@teu/image/digest";
import { type Answer, HostileRegistry } from "@teu/testkit/hostile-registry";
import { reply } from "@teu/testkit/hostile-answers";
import { rawRequest } from "@teu/testkit/raw-http";

import { Registry } from "./registry.ts";

const INDEX = "application/vnd.oci.image.index.v1+json";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const EMPTY = { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf("{}"), size: 2, data: "e30=" };
const SUBJECT = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [] });
const DIGEST = digestOf(SUBJECT);

function artifact(name: string, subject: string = DIGEST): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST,
    artifactType: `test/${name}`,
    config: EMPTY,
    layers: [EMPTY],
    subject: { mediaType: INDEX, digest: subject, size: SUBJECT.length },
  });
}

async function put(registry: Registry, name: string, body: string, type: string): Promise<void> {
  const headers = { "content-type": type };
  const path = `/v2/${name}/manifests/${digestOf(body)}`;
  assert.equal((await rawRequest(registry.url + path, { method: "PUT", body, headers })).status, 201);
}

async function putEmpty(registry: Registry, name: string): Promise<void> {
  const path = `/v2/${name}/blobs/uploads/?digest=${EMPTY.digest}`;
  assert.equal((await rawRequest(registry.url + path, { method: "POST", body: "{}" })).status, 201);
}

/** The artifact types that are listed. */
async function listed(registry: Registry, query: string = ""): Promise<string[]> {
  const { status, text } = await rawRequest(`${registry.url}/v2/up/app/referrers/${DIGEST}${query}`);
  assert.equal(status, 200);
  const { manifests } = JSON.parse(text) as { manifests: { artifactType: string }[] };
  return manifests.map(({ artifactType }) => artifactType).toSorted();
}

test("proxy: referrers of the upstream are listed, filtered, kept, and there when it is gone", async () => {
  const upstream = await Registry.listen();
  await using registry = await Registry.listen({ proxies: [{ prefix: "up", upstream: upstream.address, ttl: 0 }] });
  await putEmpty(upstream, "app");
  await put(upstream, "app", SUBJECT, INDEX);
  assert.deepEqual(await listed(registry), []);
  await put(upstream, "app", artifact("signature"), MANIFEST);
  await put(upstream, "app", artifact("sbom"), MANIFEST);
  await put(upstream, "app", artifact("other", digestOf("another")), MANIFEST);
  assert.deepEqual(await listed(registry), ["test/sbom", "test/signature"]);
  assert.deepEqual(await listed(registry, "?artifactType=test%2Fsbom"), ["test/sbom"]);
  await upstream[Symbol.asyncDispose]();
  assert.deepEqual(await listed(registry), ["test/sbom", "test/signature"]);
  const path = `/v2/up/app/manifests/${digestOf(artifact("sbom"))}`;
  assert.equal((await rawRequest(registry.url + path, { headers: { accept: MANIFEST } })).text, artifact("sbom"));
});

test("proxy: the upstream is not asked for the same list again within its time", async () => {
  await using upstream = await HostileRegistry.listen();
  const proxies = [{ prefix: "up", upstream: upstream.address, plainHttp: true, ttl: 3_600_000 }];
  await using registry = await Registry.listen({ proxies });
  upstream.on("GET", /referrers/, list([]));
  for (let i = 0; i < 3; i++) assert.deepEqual(await listed(registry), []);
  assert.equal(upstream.seen("GET", /referrers/).length, 1);
});

function list(manifests: readonly object[]): Answer {
  return reply(200, { "content-type": INDEX }, JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests }));
}

function entryOf(body: string): object {
  return { mediaType: MANIFEST, digest: digestOf(body), size: body.length, artifactType: "test/claimed" };
}

test("proxy: an upstream that lies about referrers, or has too many", async () => {
  await using upstream = await HostileRegistry.listen();
  const proxies = [{ prefix: "up", upstream: upstream.address, plainHttp: true, ttl: 0 }];
  await using registry = await Registry.listen({ proxies });
  const manifests = new Map<string, string>();
  upstream.on("GET", /^\/v2\/app\/manifests\//, (response, request, raw) => {
    const body = manifests.get(request.path.split("/").at(-1) ?? "");
    return (body === undefined ? reply(404) : reply(200, { "content-type": MANIFEST }, body))(response, request, raw);
  });
  const offer = (bodies: readonly string[], more: readonly object[] = []): void => {
    for (const body of bodies) manifests.set(digestOf(body), body);
    upstream.on("GET", /referrers/, list([...bodies.map(entryOf), ...more]));
  };
  for (const wrong of [reply(200, { "content-type": INDEX }, "no JSON"), reply(500), reply(200, {}, "{}")]) {
    upstream.on("GET", /referrers/, wrong);
    assert.deepEqual(await listed(registry), []);
  }
  // Another subject, another content, nothing there, another type: the others are listed, by their own word.
  manifests.set(digestOf("swapped"), artifact("swapped"));
  offer(
    [artifact("good"), artifact("stranger", digestOf("another"))],
    [
      { mediaType: MANIFEST, digest: digestOf("swapped"), size: 7 },
      { mediaType: MANIFEST, digest: digestOf("missing"), size: 7 },
      { mediaType: "application/x-other", digest: digestOf("other"), size: 7 },
    ],
  );
  assert.deepEqual(await listed(registry), ["test/good"]);
  offer(Array.from({ length: 150 }, (_, number) => artifact(`n${number}`)));
  assert.equal((await listed(registry)).length, 101);
  assert.equal(upstream.seen("GET", /manifests/).length <= 110, true);
});
