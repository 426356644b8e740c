// Interoperation with skopeo, podman and docker-registry: what each pushes the other pulls, digests unchanged. No root needed.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { accessSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { promisify } from "node:util";
import { createScope } from "@teu/base/scope";
import { pullImage } from "@teu/distribution/client/pull";
import { pushImage } from "@teu/distribution/client/push";
import { RegistryClient } from "@teu/distribution/client/registry-client";
import type { ContentStore } from "@teu/image/content-store";
import { DiskContentStore } from "@teu/image/disk-content-store";
import { digestOf } from "@teu/image/digest";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { parseReference, withDigest } from "@teu/image/reference";
import { Registry } from "@teu/registry/registry";
import { DockerRegistry, noDockerRegistry } from "@teu/testkit/docker-registry";
import { randomImage, randomIndex, type RandomImage } from "@teu/testkit/random-image";
import { tempRoot, type TempRoot } from "@teu/testkit/temp-root";

const scope = createScope();
const run = promisify(execFile);
const SKOPEO = "/usr/bin/skopeo";

interface Server extends AsyncDisposable {
  readonly address: string;
}

const SERVERS: readonly {
  readonly name: string;
  readonly skip: string | false;
  start(root: TempRoot): Promise<Server>;
}[] = [
  { name: "our registry", skip: false, start: (root) => Registry.listen({ root: root.join("registry") }) },
  { name: "docker-registry", skip: noDockerRegistry(), start: () => DockerRegistry.start() },
];

function missing(program: string): string | false {
  try {
    accessSync(program);
    return false;
  } catch {
    return `${program} is not installed`;
  }
}

async function skopeo(...argv: readonly string[]): Promise<string> {
  const { stdout } = await run(SKOPEO, ["--insecure-policy", ...argv], {
    timeout: 60_000,
    env: { ...process.env, HTTP_PROXY: "", HTTPS_PROXY: "" },
  });
  return stdout;
}

// An OCI layout with one tagged image, written plainly: what is tested is the transport.
async function layoutOf(
  root: TempRoot,
  name: string,
  store: ContentStore,
  image: Pick<RandomImage, "descriptor">,
): Promise<string> {
  const directory = root.join(name);
  await mkdir(`${directory}/blobs/sha256`, { recursive: true });
  for await (const { digest } of store.list(scope)) {
    await writeFile(`${directory}/blobs/sha256/${digest.slice(7)}`, await store.readAll(scope, digest, 1 << 24));
  }
  await writeFile(`${directory}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
  const entry = { ...image.descriptor, annotations: { "org.opencontainers.image.ref.name": "v1" } };
  await writeFile(`${directory}/index.json`, JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
  return `oci:${directory}:v1`;
}

async function digests(store: ContentStore): Promise<string[]> {
  const found: string[] = [];
  for await (const { digest } of store.list(scope)) found.push(digest);
  return found.sort();
}

for (const server of SERVERS) {
  test(
    `skopeo to ${server.name} to our client: digests unchanged`,
    { skip: missing(SKOPEO) || server.skip },
    async () => {
      await using root = await tempRoot();
      await using registry = await server.start(root);
      await using client = new RegistryClient();
      const source = new MemoryContentStore();
      const image = await randomImage(scope, source, { layers: 3, layerSize: 1_000_000 });
      const layout = await layoutOf(root, "layout", source, image);
      await skopeo("copy", "--dest-tls-verify=false", layout, `docker://${registry.address}/team/app:v1`);
      const reference = parseReference(`${registry.address}/team/app:v1`);
      const target = await DiskContentStore.open(root.join("store"));
      const { descriptor } = await pullImage(scope, { client, reference, store: target });
      assert.equal(descriptor.digest, image.descriptor.digest);
      assert.deepEqual(await digests(target), await digests(source));
    },
  );

  test(
    `our client to ${server.name} to skopeo: digests unchanged`,
    { skip: missing(SKOPEO) || server.skip },
    async () => {
      await using root = await tempRoot();
      await using registry = await server.start(root);
      await using client = new RegistryClient();
      const store = new MemoryContentStore();
      const reference = parseReference(`${registry.address}/team/app:v1`);
      for (const docker of [false, true]) {
        const image = await randomImage(scope, store, { layers: 3, layerSize: 1_000_000, docker });
        await pushImage(scope, { client, reference, store, descriptor: image.descriptor });
        const raw = await skopeo("inspect", "--raw", "--tls-verify=false", `docker://${registry.address}/team/app:v1`);
        assert.equal(digestOf(raw), image.descriptor.digest);
        const directory = root.join(`out-${docker}`);
        await skopeo("copy", "--src-tls-verify=false", `docker://${registry.address}/team/app:v1`, `dir:${directory}`);
        for (const { digest } of image.layers)
          assert.equal(digestOf(await readFile(`${directory}/${digest.slice(7)}`)), digest);
      }
    },
  );

  test(
    `an index through ${server.name}, by skopeo and by our client`,
    { skip: missing(SKOPEO) || server.skip },
    async () => {
      await using root = await tempRoot();
      await using registry = await server.start(root);
      await using client = new RegistryClient();
      const store = new MemoryContentStore();
      const index = await randomIndex(scope, store, [
        { os: "linux", architecture: "amd64" },
        { os: "linux", architecture: "arm64", variant: "v8" },
      ]);
      const layout = await layoutOf(root, "layout", store, index);
      await skopeo(
        "copy",
        "--all",
        "--preserve-digests",
        "--dest-tls-verify=false",
        layout,
        `docker://${registry.address}/a:theirs`,
      );
      await pushImage(scope, {
        client,
        reference: parseReference(`${registry.address}/a:ours`),
        store,
        descriptor: index.descriptor,
      });
      for (const tag of ["theirs", "ours"]) {
        const resolved = await client.resolve(scope, parseReference(`${registry.address}/a:${tag}`));
        assert.equal(resolved.digest, index.descriptor.digest, tag);
      }
      const pulled = new MemoryContentStore();
      await pullImage(scope, {
        client,
        reference: parseReference(`${registry.address}/a:theirs`),
        store: pulled,
        platform: "all",
      });
      assert.deepEqual(await digests(pulled), await digests(store));
    },
  );

  test(`tags, lists and deletes on ${server.name}`, { skip: server.skip }, async () => {
    await using root = await tempRoot();
    await using registry = await server.start(root);
    await using client = new RegistryClient();
    const store = new MemoryContentStore();
    const image = await randomImage(scope, store);
    const name = parseReference(`${registry.address}/team/app:v1`);
    for (const tag of ["v1", "v2", "v3"]) {
      await pushImage(scope, { client, reference: { ...name, tag }, store, descriptor: image.descriptor });
    }
    assert.deepEqual((await Array.fromAsync(client.tags(scope, name))).sort(), ["v1", "v2", "v3"]);
    assert.deepEqual(await Array.fromAsync(client.catalog(scope, registry.address)), ["team/app"]);
    const { tag: _, ...untagged } = withDigest(name, image.descriptor.digest);
    await client.delete(scope, untagged);
    await assert.rejects(client.resolve(scope, name), { code: "not-found" });
    const [layer] = image.layers;
    await client.deleteBlob(scope, name, layer?.digest as typeof image.descriptor.digest);
    assert.equal(await client.blobSize(scope, name, layer?.digest as typeof image.descriptor.digest), null);
    // Pushed again, everything is there again.
    await pushImage(scope, { client, reference: name, store, descriptor: image.descriptor });
    assert.equal((await client.resolve(scope, name)).digest, image.descriptor.digest);
  });

  test(`referrers on ${server.name}: by its API or by the tag that stands in`, { skip: server.skip }, async () => {
    await using root = await tempRoot();
    await using registry = await server.start(root);
    await using client = new RegistryClient();
    const store = new MemoryContentStore();
    const name = parseReference(`${registry.address}/team/app:v1`);
    const image = await randomImage(scope, store);
    await pushImage(scope, { client, reference: name, store, descriptor: image.descriptor });
    const wanted: string[] = [];
    for (const n of ["1", "2"]) {
      const subject = {
        mediaType: image.descriptor.mediaType,
        digest: image.descriptor.digest,
        size: image.descriptor.size,
      };
      const { descriptor } = await randomImage(scope, store, { layers: 1, subject, annotations: { n } });
      const { tag: _, ...untagged } = name;
      await pushImage(scope, { client, reference: withDigest(untagged, descriptor.digest), store, descriptor });
      wanted.push(descriptor.digest);
    }
    const found = await client.referrers(scope, name, image.descriptor.digest);
    assert.deepEqual(found.map(({ digest }) => digest).sort(), wanted.sort());
  });
}

test(
  "skopeo from docker-registry to our registry, and its list and delete",
  { skip: missing(SKOPEO) || noDockerRegistry() },
  async () => {
    await using root = await tempRoot();
    await using theirs = await DockerRegistry.start();
    await using ours = await Registry.listen({ root: root.join("registry") });
    await using client = new RegistryClient();
    const store = new MemoryContentStore();
    const image = await randomImage(scope, store, { layerSize: 3_000_000, docker: true });
    await pushImage(scope, {
      client,
      reference: parseReference(`${theirs.address}/a:v1`),
      store,
      descriptor: image.descriptor,
    });
    await skopeo(
      "copy",
      "--src-tls-verify=false",
      "--dest-tls-verify=false",
      `docker://${theirs.address}/a:v1`,
      `docker://${ours.address}/b:v1`,
    );
    assert.equal((await client.resolve(scope, parseReference(`${ours.address}/b:v1`))).digest, image.descriptor.digest);
    const list = JSON.parse(await skopeo("list-tags", "--tls-verify=false", `docker://${ours.address}/b`)) as {
      Tags: string[];
    };
    assert.deepEqual(list.Tags, ["v1"]);
    await skopeo("delete", "--tls-verify=false", `docker://${ours.address}/b:v1`);
    await assert.rejects(client.resolve(scope, parseReference(`${ours.address}/b:v1`)), { code: "not-found" });
  },
);
