// The list of referrers under a tag, against registries without the API.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { type Digest, digestOf } from "@teu/image/digest";
import { parseReference, type Reference, withDigest } from "@teu/image/reference";
import { type Descriptor, EMPTY_DESCRIPTOR, MEDIA_TYPES } from "@teu/specs/image";
import { refuse, reply } from "@teu/testkit/hostile-answers";
import { HostileRegistry } from "@teu/testkit/hostile-registry";

import { RegistryClient } from "./registry-client.ts";

const scope = createScope();
const SUBJECT = digestOf("subject");
const TAG = `/v2/a/b/manifests/sha256-${SUBJECT.slice(7)}`;
const asIndex = { "content-type": MEDIA_TYPES.index };
const asManifest = { "content-type": MEDIA_TYPES.manifest };
const LAYER = { mediaType: "text/plain", digest: digestOf("sbom"), size: 4 };

/** A manifest that refers to `SUBJECT`. */
function referrer(n: number): Buffer {
  const subject = { mediaType: MEDIA_TYPES.manifest, digest: SUBJECT, size: 5 };
  const annotations = { n: String(n) };
  const parts = { artifactType: "t/sbom", config: EMPTY_DESCRIPTOR, layers: [LAYER], subject, annotations };
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.manifest, ...parts }));
}

function entryOf(bytes: Buffer, digest: Digest = digestOf(bytes)): Descriptor {
  return { mediaType: MEDIA_TYPES.manifest, digest, size: bytes.length };
}

function index(...manifests: readonly Descriptor[]): string {
  return JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests });
}

function listed(body: Buffer | undefined): string[] {
  return (JSON.parse(String(body)) as { manifests: Descriptor[] }).manifests.map(({ digest }) => digest);
}

function check(
  title: string,
  body: (registry: HostileRegistry, client: RegistryClient, reference: Reference) => Promise<void>,
): void {
  test(`RegistryClient: ${title}`, async () => {
    await using registry = await HostileRegistry.listen();
    await using client = new RegistryClient({ retry: { attempts: 2, delay: 1 } });
    await body(registry, client, parseReference(`${registry.address}/a/b:t`));
  });
}

check("what has the tag of a list and is none stays, and the push says so", async (registry, client, reference) => {
  registry.on("PUT", /manifests/, reply(201)).on("GET", TAG, reply(200, asManifest, referrer(0)));
  const push = client.pushManifest(scope, reference, {
    mediaType: MEDIA_TYPES.manifest,
    bytes: referrer(1),
    reference: "t",
  });
  await assert.rejects(push, (error) => isTeuError(error, "conflict") && /has this tag/.test(error.message));
  assert.deepEqual(
    registry.seen("PUT").map(({ path }) => path),
    ["/v2/a/b/manifests/t"],
  );
  assert.deepEqual(await client.referrers(scope, reference, SUBJECT), []);
});

check("a list that changes meanwhile is read again", async (registry, client, reference) => {
  const [one, two] = [referrer(1), referrer(2)];
  registry.on("PUT", /manifests/, reply(201));
  registry.on("PUT", TAG, refuse(412, "UNKNOWN"), 1);
  registry.on("GET", TAG, reply(200, { ...asIndex, etag: '"2"' }, index(entryOf(one))));
  registry.on("GET", TAG, reply(200, { ...asIndex, etag: '"1"' }, index()), 1);
  await client.pushManifest(scope, reference, { mediaType: MEDIA_TYPES.manifest, bytes: two, reference: "t" });
  const puts = registry.seen("PUT").filter(({ path }) => path === TAG);
  assert.deepEqual(
    puts.map(({ headers }) => headers["if-match"]),
    ['"1"', '"2"'],
  );
  assert.deepEqual(listed(puts[1]?.body), [digestOf(one), digestOf(two)]);
});

check("a referrer is listed by the digest that it was pushed under", async (registry, client, reference) => {
  const bytes = referrer(1);
  const digest = digestOf(bytes, "sha512");
  registry.on("PUT", /manifests/, reply(201));
  await client.pushManifest(scope, reference, { mediaType: MEDIA_TYPES.manifest, bytes, reference: digest, digest });
  assert.deepEqual(listed(registry.seen("PUT").at(-1)?.body), [digest]);
});

check("a referrer that is deleted leaves the list, the others stay", async (registry, client, reference) => {
  const [one, two] = [referrer(1), referrer(2)];
  const doomed = digestOf(one);
  registry.on("DELETE", `/v2/a/b/manifests/${doomed}`, reply(202));
  registry.on("GET", `/v2/a/b/manifests/${doomed}`, reply(200, asManifest, one));
  registry.on("GET", TAG, reply(200, { ...asIndex, etag: '"1"' }, index(entryOf(one), entryOf(two))));
  registry.on("PUT", TAG, reply(201));
  const { tag: _, ...name } = withDigest(reference, doomed);
  await client.delete(scope, name);
  const [put] = registry.seen("PUT");
  assert.deepEqual(listed(put?.body), [digestOf(two)]);
  assert.equal(put?.headers["if-match"], '"1"');
  // With the API the registry does it.
  registry.on("GET", /referrers/, reply(200, asIndex, index()));
  await client.delete(scope, name);
  assert.equal(registry.seen("PUT").length, 1);
});

check("what cannot be read can be deleted", async (registry, client, reference) => {
  registry.on("DELETE", /manifests/, reply(202));
  const { tag: _, ...name } = withDigest(reference, digestOf("x"));
  for (const answer of [
    reply(404),
    reply(200, asManifest, "other content"),
    reply(200, { "content-type": "text/plain" }, "x"),
  ]) {
    registry.on("GET", /manifests/, answer);
    await client.delete(scope, name);
  }
  assert.equal(registry.seen("DELETE").length, 3);
});
