// The contract of MetadataStorage as tests: every implementation runs it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { createScope, type Scope } from "@teu/base/scope";
import type { BlobInfo } from "@teu/image/content-store";
import { type Digest, digestOf } from "@teu/image/digest";

import type { TagRights } from "./access.ts";
import type { ManifestReference, MetadataStorage, NewManifest } from "./metadata-storage.ts";

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

/** Runs the contract against storages made by `make`; what it returns is disposed after each test. */
export function metadataStorageSuite(
  name: string,
  make: () => Promise<AsyncDisposable & { readonly storage: MetadataStorage }>,
): void {
  const check = (
    title: string,
    body: (storage: MetadataStorage, scope: Scope, clock: { now: number }) => Promise<void>,
  ): void => {
    test(`${name}: ${title}`, async () => {
      const clock = { now: 1_000_000 };
      await using made = await make();
      await body(made.storage, createScope({ now: () => clock.now }), clock);
    });
  };

  check("blobs belong to repositories", async (storage, scope) => {
    const blob = blobOf("layer");
    await storage.linkBlob(scope, "a", blob);
    assert.deepEqual(await storage.findBlob(scope, "a", blob.digest), blob);
    assert.equal(await storage.findBlob(scope, "b", blob.digest), null);
    assert.deepEqual(await storage.repositoriesWithBlob(scope, blob.digest, 10), ["a"]);
    assert.equal(await storage.hasRepository(scope, "a"), true);
    assert.equal(await storage.hasRepository(scope, "b"), false);
  });

  check("mounting links what the source has, and nothing else", async (storage, scope) => {
    const blob = blobOf("layer");
    await storage.linkBlob(scope, "a", blob);
    assert.deepEqual(await storage.mountBlob(scope, "b", blob.digest, "a"), blob);
    assert.deepEqual(await storage.findBlob(scope, "b", blob.digest), blob);
    assert.equal(await storage.mountBlob(scope, "c", digestOf("other"), "a"), null);
    assert.equal(await storage.mountBlob(scope, "c", blob.digest, "nowhere"), null);
    assert.equal(await storage.hasRepository(scope, "c"), false);
  });

  check("unlinking is for one repository; the last one makes an orphan", async (storage, scope, clock) => {
    const blob = blobOf("layer");
    await storage.linkBlob(scope, "a", blob);
    await storage.linkBlob(scope, "b", blob);
    assert.equal(await storage.unlinkBlob(scope, "a", blob.digest), true);
    assert.equal(await storage.unlinkBlob(scope, "a", blob.digest), false);
    assert.deepEqual(await storage.findBlob(scope, "b", blob.digest), blob);
    assert.deepEqual(await storage.orphanBlobs(scope, clock.now + 1, 10), []);
    assert.equal(await storage.forgetBlob(scope, blob.digest), false);
    await storage.unlinkBlob(scope, "b", blob.digest);
    assert.deepEqual(await storage.orphanBlobs(scope, clock.now, 10), []);
    assert.deepEqual(await storage.orphanBlobs(scope, clock.now + 1, 10), [blob]);
    assert.equal(await storage.knowsBlob(scope, blob.digest), true);
    assert.equal(await storage.forgetBlob(scope, blob.digest), true);
    assert.equal(await storage.knowsBlob(scope, blob.digest), false);
  });

  check("linking an orphan again saves it", async (storage, scope, clock) => {
    const blob = blobOf("layer");
    await storage.linkBlob(scope, "a", blob);
    await storage.unlinkBlob(scope, "a", blob.digest);
    await storage.linkBlob(scope, "b", blob);
    assert.deepEqual(await storage.orphanBlobs(scope, clock.now + 1, 10), []);
    assert.equal(await storage.forgetBlob(scope, blob.digest), false);
  });

  check("a manifest is found by tag and digest, byte for byte", async (storage, scope) => {
    const manifest = manifestOf("one");
    assert.deepEqual(await storage.putManifest(scope, "a", { manifest, tags: ["x", "y"] }), {
      kind: "stored",
      created: true,
    });
    assert.deepEqual(await storage.putManifest(scope, "a", { manifest, tags: [] }), { kind: "stored", created: false });
    for (const reference of [{ tag: "x" }, { tag: "y" }, { digest: manifest.digest }]) {
      const found = await storage.findManifest(scope, "a", reference);
      assert.equal(found?.digest, manifest.digest);
      assert.equal(found?.mediaType, MANIFEST);
      assert.deepEqual(Buffer.from(found?.bytes ?? []), Buffer.from(manifest.bytes));
    }
    assert.equal(await storage.findManifest(scope, "a", { tag: "z" }), null);
    assert.equal(await storage.findManifest(scope, "b", { digest: manifest.digest }), null);
  });

  check("a manifest with missing or wrong content changes nothing", async (storage, scope) => {
    const here = blobOf("here");
    await storage.linkBlob(scope, "a", here);
    const missing = manifestOf("m", [reference(here), reference(blobOf("gone")), reference(blobOf("gone"))]);
    assert.deepEqual(await storage.putManifest(scope, "a", { manifest: missing, tags: ["t"] }), {
      kind: "missing",
      digests: [blobOf("gone").digest],
    });
    const wrong = manifestOf("w", [{ ...reference(here), size: 99 }]);
    assert.equal((await storage.putManifest(scope, "a", { manifest: wrong, tags: ["t"] })).kind, "wrong-size");
    assert.deepEqual(await storage.listTags(scope, "a", { limit: 10 }), []);
    assert.equal((await storage.putManifest(scope, "b", { manifest: missing, tags: ["t"] })).kind, "missing");
    assert.equal(await storage.hasRepository(scope, "b"), false);
    const optional = manifestOf("o", [{ ...reference(blobOf("gone")), required: false }]);
    assert.equal((await storage.putManifest(scope, "a", { manifest: optional, tags: [] })).kind, "stored");
  });

  check("an index needs its manifests in the same repository", async (storage, scope) => {
    const child = manifestOf("child");
    const index = manifestOf("index", [
      { kind: "manifest", digest: child.digest, size: child.bytes.length, required: true },
    ]);
    assert.equal((await storage.putManifest(scope, "a", { manifest: index, tags: [] })).kind, "missing");
    await storage.putManifest(scope, "a", { manifest: child, tags: [] });
    assert.equal((await storage.putManifest(scope, "a", { manifest: index, tags: [] })).kind, "stored");
  });

  check("conditions guard tags", async (storage, scope) => {
    const [one, two] = [manifestOf("1"), manifestOf("2")];
    const put = (manifest: NewManifest, condition: Digest | "any" | "none"): Promise<unknown> =>
      storage.putManifest(scope, "a", { manifest, tags: ["t"], condition }).then(({ kind }) => kind);
    assert.equal(await put(one, "any"), "condition-failed");
    assert.equal(await put(one, one.digest), "condition-failed");
    assert.equal(await put(one, "none"), "stored");
    assert.equal(await put(two, "none"), "condition-failed");
    assert.equal(await put(two, two.digest), "condition-failed");
    assert.equal(await put(two, one.digest), "stored");
    assert.equal((await storage.findManifest(scope, "a", { tag: "t" }))?.digest, two.digest);
  });

  check("deleting a tag leaves the manifest, deleting a manifest takes its tags", async (storage, scope) => {
    const [one, two] = [manifestOf("1"), manifestOf("2")];
    await storage.putManifest(scope, "a", { manifest: one, tags: ["x", "y"] });
    await storage.putManifest(scope, "a", { manifest: two, tags: ["z"] });
    await storage.putManifest(scope, "b", { manifest: one, tags: ["x"] });
    assert.equal(await storage.deleteTag(scope, "a", "x"), one.digest);
    assert.equal(await storage.deleteTag(scope, "a", "x"), null);
    assert.equal(await storage.findManifest(scope, "a", { tag: "x" }), null);
    assert.equal((await storage.findManifest(scope, "a", { digest: one.digest }))?.digest, one.digest);
    assert.deepEqual(await storage.deleteManifest(scope, "a", one.digest), ["y"]);
    assert.equal(await storage.deleteManifest(scope, "a", one.digest), null);
    assert.equal(await storage.findManifest(scope, "a", { tag: "y" }), null);
    assert.deepEqual(await storage.listTags(scope, "a", { limit: 10 }), ["z"]);
    assert.equal((await storage.findManifest(scope, "b", { tag: "x" }))?.digest, one.digest);
  });

  check("a moved tag is seen at once, whatever was read before", async (storage, scope) => {
    const [one, two] = [manifestOf("1"), manifestOf("2")];
    await storage.putManifest(scope, "a", { manifest: one, tags: ["t"] });
    await storage.findManifest(scope, "a", { tag: "t" });
    await storage.putManifest(scope, "a", { manifest: two, tags: ["t"] });
    assert.equal((await storage.findManifest(scope, "a", { tag: "t" }))?.digest, two.digest);
    await storage.deleteManifest(scope, "a", two.digest);
    assert.equal(await storage.findManifest(scope, "a", { tag: "t" }), null);
    assert.equal(await storage.findManifest(scope, "a", { digest: two.digest }), null);
  });

  check("tags have a history", async (storage, scope, clock) => {
    const [one, two] = [manifestOf("1"), manifestOf("2")];
    await storage.putManifest(scope, "a", { manifest: one, tags: ["t"] });
    await storage.putManifest(scope, "a", { manifest: one, tags: ["t"] });
    clock.now += 5;
    await storage.putManifest(scope, "a", { manifest: two, tags: ["t"] });
    clock.now += 5;
    await storage.deleteTag(scope, "a", "t");
    assert.deepEqual(await storage.tagHistory(scope, "a", "t", 10), [
      { digest: null, at: 1_000_010 },
      { digest: two.digest, at: 1_000_005 },
      { digest: one.digest, at: 1_000_000 },
    ]);
    assert.equal((await storage.tagHistory(scope, "a", "t", 1)).length, 1);
  });

  check("lists are in byte order and in pages", async (storage, scope) => {
    const tags = ["b", "a", "B", "a.1", "a-1", "_", "9"];
    for (const repository of ["b", "a/c", "a", "a-b"])
      await storage.putManifest(scope, repository, { manifest: manifestOf("m"), tags });
    await storage.linkBlob(scope, "only-blobs", blobOf("x"));
    const sorted = [...tags].sort();
    assert.deepEqual(await storage.listTags(scope, "a", { limit: 100 }), sorted);
    assert.deepEqual(await storage.listTags(scope, "a", { limit: 2, after: sorted[1] ?? "" }), sorted.slice(2, 4));
    assert.deepEqual(await storage.listTags(scope, "a", { limit: 0 }), []);
    assert.equal(await storage.listTags(scope, "nowhere", { limit: 5 }), null);
    assert.deepEqual(await storage.listTags(scope, "only-blobs", { limit: 5 }), []);
    assert.deepEqual(await storage.listRepositories(scope, { limit: 100 }), ["a", "a-b", "a/c", "b"]);
    assert.deepEqual(await storage.listRepositories(scope, { limit: 2, after: "a-b" }), ["a/c", "b"]);
  });

  check("referrers are listed by subject and type, and go with their manifest", async (storage, scope) => {
    const subject = digestOf("subject");
    const entries = ["1", "2", "3"].map((text) => ({
      ...manifestOf(text),
      subject,
      artifactType: text === "2" ? "t/other" : "t/sbom",
      annotations: { n: text },
    }));
    for (const manifest of entries) await storage.putManifest(scope, "a", { manifest, tags: [] });
    await storage.putManifest(scope, "a", { manifest: manifestOf("stranger"), tags: [] });
    const all = await storage.listReferrers(scope, "a", subject, { limit: 10 });
    assert.deepEqual(
      all.map(({ digest }) => digest),
      entries.map(({ digest }) => digest).sort(),
    );
    const [first] = all;
    assert.equal(
      (await storage.listReferrers(scope, "a", subject, { limit: 10, after: first?.digest ?? "" })).length,
      2,
    );
    const sboms = await storage.listReferrers(scope, "a", subject, { limit: 10, artifactType: "t/sbom" });
    assert.equal(sboms.length, 2);
    assert.ok(sboms.every(({ artifactType, annotations }) => artifactType === "t/sbom" && annotations?.["n"] !== "2"));
    await storage.deleteManifest(scope, "a", entries[0]?.digest ?? subject);
    assert.equal((await storage.listReferrers(scope, "a", subject, { limit: 10 })).length, 2);
    assert.deepEqual(await storage.listReferrers(scope, "b", subject, { limit: 10 }), []);
  });

  check("a protected tag is neither moved nor removed, by whatever way", async (storage, scope) => {
    const blob = blobOf("layer");
    await storage.linkBlob(scope, "a", blob);
    const one = manifestOf("one", [reference(blob)]);
    const two = manifestOf("two");
    const list = manifestOf("list", [{ kind: "manifest", digest: one.digest, size: one.bytes.length, required: true }]);
    const rights: TagRights = {
      mayPoint: (tag, exists) => !(exists && tag.startsWith("v")) && tag !== "closed",
      mayRemove: (tag) => !tag.startsWith("v"),
    };
    await storage.putManifest(scope, "a", { manifest: one, tags: ["free"], rights });
    await storage.putManifest(scope, "a", { manifest: two, tags: ["free2"], rights });
    const stored = { kind: "stored", created: true };
    assert.deepEqual(await storage.putManifest(scope, "a", { manifest: list, tags: ["v1"], rights }), stored);
    // Where it points already, it may be pointed again.
    const again = { kind: "stored", created: false };
    assert.deepEqual(await storage.putManifest(scope, "a", { manifest: list, tags: ["v1"], rights }), again);
    // One of several tags is enough, and then none of them changes (zot CVE-2026-31801, #4266).
    const refused = { kind: "tag-protected", tag: "v1" };
    assert.deepEqual(await storage.putManifest(scope, "a", { manifest: two, tags: ["x", "v1"], rights }), refused);
    assert.deepEqual(await storage.putManifest(scope, "a", { manifest: two, tags: ["closed"], rights }), {
      kind: "tag-protected",
      tag: "closed",
    });
    assert.deepEqual(await storage.listTags(scope, "a", { limit: 10 }), ["free", "free2", "v1"]);
    for (const { digest } of [list, one])
      assert.deepEqual(await storage.deleteManifest(scope, "a", digest, rights), { protectedTag: "v1" });
    assert.deepEqual(await storage.unlinkBlob(scope, "a", blob.digest, rights), { protectedTag: "v1" });
    assert.deepEqual(await storage.findBlob(scope, "a", blob.digest), blob);
    assert.deepEqual(await storage.deleteManifest(scope, "a", two.digest, rights), ["free2"]);
  });

  check("uploads belong to a repository, are limited and grow old", async (storage, scope, clock) => {
    await storage.createUpload(scope, { id: "u1", repository: "a", algorithm: "sha512" }, 2);
    clock.now += 10;
    await storage.createUpload(scope, { id: "u2", repository: "a" }, 2);
    await assert.rejects(storage.createUpload(scope, { id: "u3", repository: "a" }, 2), (error) =>
      isTeuError(error, "exhausted"),
    );
    assert.deepEqual(await storage.findUpload(scope, "a", "u1"), { id: "u1", repository: "a", algorithm: "sha512" });
    assert.equal(await storage.findUpload(scope, "b", "u1"), null);
    assert.deepEqual(await storage.idleUploads(scope, clock.now, 10), ["u1"]);
    assert.equal(await storage.deleteUpload(scope, "u1"), true);
    assert.equal(await storage.deleteUpload(scope, "u1"), false);
  });

  check("blobs that nothing refers to are let go after a while, others never", async (storage, scope, clock) => {
    const [used, unused] = [blobOf("used"), blobOf("unused")];
    await storage.linkBlob(scope, "a", used);
    await storage.linkBlob(scope, "a", unused);
    await storage.putManifest(scope, "a", { manifest: manifestOf("m", [reference(used)]), tags: ["t"] });
    assert.equal(await storage.releaseUnusedBlobs(scope, clock.now, 10), 0);
    clock.now += 1_000_000;
    assert.equal(await storage.releaseUnusedBlobs(scope, clock.now, 10), 1);
    assert.equal(await storage.findBlob(scope, "a", unused.digest), null);
    assert.deepEqual(await storage.findBlob(scope, "a", used.digest), used);
  });

  check(
    "asking for a blob renews its lease; so does deleting the manifest that used it",
    async (storage, scope, clock) => {
      const blob = blobOf("layer");
      await storage.linkBlob(scope, "a", blob);
      clock.now += 1_000_000;
      await storage.findBlob(scope, "a", blob.digest);
      assert.equal(await storage.releaseUnusedBlobs(scope, clock.now - 1, 10), 0);
      const manifest = manifestOf("m", [reference(blob)]);
      await storage.putManifest(scope, "a", { manifest, tags: [] });
      clock.now += 1_000_000;
      await storage.deleteManifest(scope, "a", manifest.digest);
      assert.equal(await storage.releaseUnusedBlobs(scope, clock.now - 1, 10), 0);
      clock.now += 1_000_000;
      assert.equal(await storage.releaseUnusedBlobs(scope, clock.now - 1, 10), 1);
    },
  );
}

function blobOf(text: string): BlobInfo {
  return { digest: digestOf(text), size: text.length };
}

function reference({ digest, size }: BlobInfo): ManifestReference {
  return { kind: "layer", digest, size, required: true };
}

function manifestOf(text: string, references: readonly ManifestReference[] = []): NewManifest {
  const bytes = Buffer.from(`{"is":"${text}"}`);
  return { digest: digestOf(bytes), mediaType: MANIFEST, bytes, references };
}
