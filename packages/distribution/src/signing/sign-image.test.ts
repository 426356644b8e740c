// Signatures of our own, in both formats, on a registry with and without the referrers API.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { parseReference, withTag } from "@teu/image/reference";
import { EMPTY_DESCRIPTOR, MEDIA_TYPES, parseIndex, parseManifest } from "@teu/specs/image";
import { DockerRegistry, noDockerRegistry } from "@teu/testkit/docker-registry";
import { randomImage, randomIndex } from "@teu/testkit/random-image";

import { pushImage } from "../client/push.ts";
import { BUNDLE } from "./bundle.ts";
import { findSignatures } from "./find-signatures.ts";
import { signImage, type SignOptions } from "./sign-image.ts";
import { registryPlace } from "./signature-place.ts";
import { type KeyKind, KINDS, makeKey } from "@teu/testkit/signing-keys";
import { SignatureBench } from "@teu/testkit/signature-bench";
import { trustInKeys, verifySignatures } from "./verify-image.ts";

async function options(bench: SignatureBench, changes: Partial<SignOptions> = {}): Promise<SignOptions> {
  const { client, reference } = bench;
  const fixed = { format: "bundle", annotations: {}, recursive: false, now: new Date(0) } as const;
  return { client, reference, key: await makeKey(), ...fixed, ...changes };
}

for (const kind of Object.keys(KINDS) as KeyKind[]) {
  test(`signImage: ${kind} keys, both formats, and what they say comes back`, async () => {
    await using bench = await SignatureBench.open();
    const key = await makeKey(kind);
    for (const format of ["bundle", "tag"] as const)
      await signImage(
        bench.scope,
        await options(bench, { key, format, annotations: { build: "42", who: "me, <us> & them" } }),
      );
    const { accepted, rejected } = await bench.verify(key.publicKey);
    assert.deepEqual(rejected, []);
    assert.deepEqual(
      accepted.map(({ format, claim }) => [format, claim.digest, claim.reference, claim.annotations]),
      ["tag", "bundle"].map((format) => [
        format,
        bench.digest,
        `${bench.address}/team/app`,
        { build: "42", who: "me, <us> & them" },
      ]),
    );
    assert.equal((await bench.verify((await makeKey(kind)).publicKey)).accepted.length, 0);
  });
}

test("signImage: the same again writes nothing, other keys and other words are added", async () => {
  await using bench = await SignatureBench.open();
  const [one, two] = [await makeKey(), await makeKey()];
  for (const format of ["bundle", "tag"] as const) {
    const sign = async (changes: Partial<SignOptions>): Promise<boolean | undefined> =>
      (await signImage(bench.scope, await options(bench, { format, ...changes })))[0]?.added;
    assert.equal(await sign({ key: one }), true);
    assert.equal(await sign({ key: one }), false);
    assert.equal(await sign({ key: two }), true);
    assert.equal(await sign({ key: one, annotations: { a: "b" } }), true);
    assert.equal(await sign({ key: one, identity: "quay.io/team/app:v1" }), true);
    assert.equal(await sign({ key: one }), false);
  }
  assert.equal((await bench.verify(one.publicKey)).accepted.length, 6);
  assert.equal((await bench.verify(two.publicKey)).accepted.length, 2);
});

test("signImage: the bundle's manifest is as cosign's specification has it", async () => {
  await using bench = await SignatureBench.open();
  const [result] = await signImage(bench.scope, await options(bench));
  const [referrer] = await bench.client.referrers(bench.scope, bench.reference, bench.digest);
  assert.equal(referrer?.digest, result?.signature);
  assert.equal(referrer?.artifactType, BUNDLE);
  const { bytes } = await registryManifest(bench, referrer?.digest ?? "");
  const { layers, ...manifest } = parseManifest(bytes);
  const { data: _, ...config } = EMPTY_DESCRIPTOR;
  assert.deepEqual(manifest, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    artifactType: BUNDLE,
    config,
    subject: bench.image.descriptor,
    annotations: {
      "dev.sigstore.bundle.content": "dsse-envelope",
      "dev.sigstore.bundle.predicateType": "https://sigstore.dev/cosign/sign/v1",
      "org.opencontainers.image.created": "1970-01-01T00:00:00.000Z",
    },
  });
  assert.deepEqual(
    layers.map(({ mediaType }) => mediaType),
    [BUNDLE],
  );
});

async function registryManifest(bench: SignatureBench, digest: string): Promise<{ bytes: Uint8Array }> {
  return bench.client.manifest(bench.scope, parseReference(`${bench.address}/team/app@${digest}`));
}

test("signImage: under a tag, the config keeps what it had and names every payload", async () => {
  await using bench = await SignatureBench.open();
  const tag = `${bench.digest.replace(":", "-")}.sig`;
  const history = [{ created: "2024-01-01T00:00:00Z" }];
  const config = Buffer.from(
    JSON.stringify({ architecture: "", os: "", rootfs: { type: "layers", diff_ids: [] }, history }),
  );
  await bench.putManifest(
    { config: { mediaType: MEDIA_TYPES.config, ...(await bench.putBlob(config)) }, layers: [] },
    tag,
  );
  await signImage(bench.scope, await options(bench, { format: "tag" }));
  await signImage(bench.scope, await options(bench, { format: "tag", annotations: { a: "b" } }));
  const { bytes } = await bench.client.manifest(bench.scope, withTag(bench.reference, tag));
  const manifest = parseManifest(bytes);
  const written = await bench.client.blobBytes(bench.scope, bench.reference, manifest.config, 1 << 20);
  const { rootfs, ...rest } = JSON.parse(Buffer.from(written).toString()) as { rootfs: { diff_ids: string[] } };
  assert.deepEqual(
    rootfs.diff_ids,
    manifest.layers.map(({ digest }) => digest),
  );
  assert.equal(new Set(rootfs.diff_ids).size, 2);
  assert.deepEqual(rest, { architecture: "", os: "", history });
});

test("signImage: does not write over a tag that somebody uses for an image", async () => {
  await using bench = await SignatureBench.open();
  const tag = `${bench.digest.replace(":", "-")}.sig`;
  await bench.putManifest(
    {
      config: { mediaType: MEDIA_TYPES.config, ...(await bench.putBlob(Buffer.from("{}"))) },
      layers: [{ mediaType: MEDIA_TYPES.layer, ...(await bench.putBlob(Buffer.from("x"))) }],
    },
    tag,
  );
  await assert.rejects(signImage(bench.scope, await options(bench, { format: "tag" })), (error) =>
    isTeuError(error, "conflict"),
  );
});

test("signImage: recursive signs an index and all that is in it, by digest", async () => {
  await using bench = await SignatureBench.open();
  const { client, scope } = bench;
  const store = new MemoryContentStore();
  const { descriptor } = await randomIndex(scope, store, [
    { os: "linux", architecture: "amd64" },
    { os: "linux", architecture: "arm64" },
  ]);
  const reference = withTag(bench.reference, "index");
  await pushImage(scope, { client, reference, store, descriptor });
  const key = await makeKey();
  const [alone] = await signImage(scope, await options(bench, { reference, key }));
  assert.equal(alone?.digest, descriptor.digest);
  const all = await signImage(scope, await options(bench, { reference, key, recursive: true }));
  const index = parseIndex(await store.readAll(scope, descriptor.digest, 1 << 20));
  assert.deepEqual(
    all.map(({ digest, added }) => [digest, added]),
    [[descriptor.digest, false], ...index.manifests.map(({ digest }) => [digest, true])],
  );
});

test(
  "signImage: on a registry without referrers, by the tag that stands in for them",
  { skip: noDockerRegistry() },
  async () => {
    await using registry = await DockerRegistry.start();
    await using bench = await SignatureBench.open();
    const { client, scope } = bench;
    const store = new MemoryContentStore();
    const { descriptor } = await randomImage(scope, store, { layers: 1, layerSize: 10 });
    const reference = parseReference(`${registry.address}/team/app:v1`);
    await pushImage(scope, { client, reference, store, descriptor });
    const [one, two] = [await makeKey(), await makeKey()];
    for (const format of ["bundle", "tag"] as const)
      for (const key of [one, two]) await signImage(scope, await options(bench, { reference, key, format }));
    const image = await client.manifest(scope, reference);
    const found = await findSignatures(scope, registryPlace(client, reference), image.descriptor.digest);
    assert.equal(found.length, 4);
    for (const key of [one, two])
      assert.equal((await verifySignatures(found, image, trustInKeys([key.publicKey]), () => null)).accepted.length, 2);
  },
);
