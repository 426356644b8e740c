// The contract of MetadataStorage as tests: every implementation runs it.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
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
    await link(storage, scope, "a", blob);
    assert.deepEqual(await storage.findBlob(scope, "a", blob.digest), blob);
    assert.equal(await storage.findBlob(scope, "b", blob.digest), null);
    assert.deepEqual(await storage.repositoriesWithBlob(scope, blob.digest, 10), ["a"]);
    assert.equal(await storage.hasRepository(scope, "a"), true);
    assert.equal(await storage.hasRepository(scope, "b"), false);
  });

  check("mounting links what the source has, and nothing else", async (storage, scope) => {
    const blob = blobOf("layer");
    await link(storage, scope, "a", blob);
    assert.deepEqual(await storage.mountBlob(scope, "b", blob.digest, "a"), blob);
    assert.deepEqual(await storage.findBlob(scope, "b", blob.digest), blob);
    assert.equal(await storage.mountBlob(scope, "c", digestOf("other"), "a"), null);
    assert.equal(await storage.mountBlob(scope, "c", blob.digest, "nowhere"), null);
    assert.equal(await storage.hasRepository(scope, "c"), false);
  });

  check("unlinking is for one repository; the last one makes an orphan", async (storage, scope, clock) => {
    const blob = blobOf("layer");
    await link(storage, scope, "a", blob);
    await link(storage, scope, "b", blob);
    assert.equal(await storage.unlinkBlob(scope, "a", blob.digest), true);
    assert.equal(await storage.unlinkBlob(scope, "a", blob.digest), false);
    assert.deepEqual(await storage.findBlob(scope, "b", blob.digest), blob);
    const forget = (before: number): Promise<readonly BlobInfo[]> => storage.forgetOrphans(scope, before, 10, () => {});
    assert.deepEqual(await forget(clock.now + 1), []);
    await storage.unlinkBlob(scope, "b", blob.digest);
    assert.deepEqual(await forget(clock.now), []);
    assert.equal(await storage.forgetStray(scope, blob.digest, () => true), false);
    assert.deepEqual(await forget(clock.now + 1), [blob]);
    assert.deepEqual(await forget(clock.now + 1), []);
    assert.equal(await storage.forgetStray(scope, blob.digest, () => true), true);
  });

  check("the history of tags is trimmed by number and age, never to nothing", async (storage, scope, clock) => {
    const manifests = Array.from({ length: 6 }, (_, i) => manifestOf(`m${i}`));
    for (const manifest of manifests) {
      clock.now += 10;
      await storage.putManifest(scope, "a", { manifest, tags: ["busy"] });
    }
    await storage.putManifest(scope, "a", { manifest: manifests[0] as NewManifest, tags: ["calm"] });
    const history = async (tag: string): Promise<unknown[]> =>
      (await storage.tagHistory(scope, "a", tag, 10)).map(({ digest }) => digest);
    const trim = async (keep: number, before: number): Promise<number> => {
      let [count, next] = [0, undefined as string | undefined];
      do {
        const after = next === undefined ? {} : { after: next };
        const result = await storage.trimHistory(scope, keep, before, { ...after, limit: 2 });
        count += result.count;
        next = result.next ?? undefined;
      } while (next !== undefined);
      return count;
    };
    const digests = manifests.map(({ digest }) => digest).reverse();
    assert.equal(await trim(4, clock.now - 55), 0);
    assert.equal(await trim(4, clock.now - 40), 1);
    assert.deepEqual(await history("busy"), digests.slice(0, 5));
    assert.equal(await trim(3, clock.now + 1), 2);
    assert.deepEqual(await history("busy"), digests.slice(0, 3));
    assert.equal(await trim(0, clock.now + 1), 2);
    assert.deepEqual([await history("busy"), await history("calm")], [digests.slice(0, 1), [digests.at(-1)]]);
    assert.equal((await storage.findManifest(scope, "a", { tag: "busy" }))?.digest, digests[0]);
  });

  check("times of a clock that ran ahead are those of now", async (storage, scope, clock) => {
    const [used, orphan] = [blobOf("used"), blobOf("orphan")];
    const manifest = manifestOf("deleted");
    const before = clock.now;
    clock.now += 1e12;
    for (const blob of [used, orphan]) await link(storage, scope, "a", blob);
    await storage.unlinkBlob(scope, "a", orphan.digest);
    await storage.putManifest(scope, "a", { manifest, tags: [] });
    await storage.deleteManifest(scope, "a", manifest.digest);
    await storage.createUpload(scope, { id: "u", repository: "a" }, 10);
    clock.now = before;
    assert.ok((await storage.endFuture(scope)) > 0);
    assert.equal(await storage.endFuture(scope), 0);
    // As old as if it had happened now: not older.
    assert.deepEqual(await storage.endIdleUploads(scope, before, 10), []);
    assert.equal(await storage.purgeDeleted(scope, before, 10), 0);
    assert.equal((await storage.releaseUnusedBlobs(scope, before, { limit: 10 })).count, 0);
    assert.deepEqual(await storage.forgetOrphans(scope, before, 10, () => {}), []);
    assert.deepEqual(await storage.endIdleUploads(scope, before + 1, 10), ["u"]);
    assert.equal(await storage.purgeDeleted(scope, before + 1, 10), 1);
    assert.equal((await storage.releaseUnusedBlobs(scope, before + 1, { limit: 10 })).count, 1);
    assert.equal((await storage.forgetOrphans(scope, before + 1, 10, () => {})).length, 2);
  });

  check("linking an orphan again saves it", async (storage, scope, clock) => {
    const blob = blobOf("layer");
    await link(storage, scope, "a", blob);
    await storage.unlinkBlob(scope, "a", blob.digest);
    await link(storage, scope, "b", blob);
    assert.deepEqual(await storage.forgetOrphans(scope, clock.now + 1, 10, () => assert.fail("retired")), []);
  });

  check("what an upload claims is never forgotten, before it is there and after", async (storage, scope, clock) => {
    const [orphan, stray] = [blobOf("orphan"), blobOf("stray")];
    await link(storage, scope, "a", orphan);
    await storage.unlinkBlob(scope, "a", orphan.digest);
    clock.now += 1_000_000;
    await storage.createUpload(scope, { id: "u", repository: "a" }, 10);
    assert.equal(await storage.claimBlobs(scope, "u", [orphan.digest, stray.digest]), true);
    const refuse = (): never => assert.fail("retired");
    assert.deepEqual(await storage.forgetOrphans(scope, clock.now, 10, refuse), []);
    assert.equal(await storage.forgetStray(scope, stray.digest, refuse), false);
    const part = { upload: "u", blobs: [orphan], end: false };
    assert.equal(await storage.linkClaimed(scope, "a", part), true);
    assert.equal(await storage.linkClaimed(scope, "a", { ...part, blobs: [blobOf("never claimed")] }), false);
    assert.equal(await storage.linkClaimed(scope, "a", { upload: "u", blobs: [stray], end: true }), true);
    assert.deepEqual(await storage.findBlob(scope, "a", stray.digest), stray);
    assert.equal(await storage.hasUpload(scope, "u"), false);
  });

  check("an upload that was ended as idle can neither claim nor link", async (storage, scope, clock) => {
    const [old, blob] = [blobOf("old"), blobOf("layer")];
    await link(storage, scope, "a", old);
    await storage.unlinkBlob(scope, "a", old.digest);
    await storage.createUpload(scope, { id: "u", repository: "a" }, 10);
    await storage.claimBlobs(scope, "u", [old.digest, blob.digest]);
    clock.now += 1_000_000;
    assert.deepEqual(await storage.endIdleUploads(scope, clock.now, 10), ["u"]);
    assert.deepEqual(await storage.forgetOrphans(scope, clock.now, 10, () => {}), [old]);
    assert.equal(await storage.linkClaimed(scope, "a", { upload: "u", blobs: [old], end: true }), false);
    assert.equal(await storage.claimBlobs(scope, "u", [blob.digest]), false);
    assert.equal(await storage.findBlob(scope, "a", old.digest), null);
  });

  check("bytes stay known when taking them away fails", async (storage, scope, clock) => {
    const blob = blobOf("layer");
    await link(storage, scope, "a", blob);
    await storage.unlinkBlob(scope, "a", blob.digest);
    const failing = storage.forgetOrphans(scope, clock.now + 1, 10, () => {
      throw new Error("disk on fire");
    });
    await assert.rejects(failing, /disk on fire/);
    assert.deepEqual(await storage.forgetOrphans(scope, clock.now + 1, 10, () => {}), [blob]);
  });

  check(
    "a deleted manifest comes back with its tags and children until it is purged",
    async (storage, scope, clock) => {
      const child = manifestOf("child");
      const index = manifestOf("index", [
        { kind: "manifest", digest: child.digest, size: child.bytes.length, required: true },
      ]);
      await storage.putManifest(scope, "a", { manifest: child, tags: [] });
      await storage.putManifest(scope, "a", { manifest: index, tags: ["x", "y", "z"] });
      await storage.deleteTag(scope, "a", "z");
      clock.now += 5;
      await storage.deleteManifest(scope, "a", index.digest);
      await storage.deleteManifest(scope, "a", child.digest);
      assert.equal(await storage.findManifest(scope, "a", { digest: index.digest }), null);
      assert.deepEqual(await storage.listRepositories(scope, { limit: 10 }), []);
      assert.equal((await storage.listDeleted(scope, "a", 10)).length, 2);
      await storage.putManifest(scope, "a", { manifest: manifestOf("other"), tags: ["y"] });
      const restored = await storage.undeleteManifest(scope, "a", index.digest);
      assert.deepEqual(restored, { kind: "restored", manifests: [index.digest, child.digest], tags: ["x"] });
      assert.deepEqual(await storage.undeleteManifest(scope, "a", index.digest), { kind: "unchanged" });
      assert.equal((await storage.findManifest(scope, "a", { tag: "x" }))?.digest, index.digest);
      assert.equal((await storage.findManifest(scope, "a", { digest: child.digest }))?.digest, child.digest);
      await storage.deleteManifest(scope, "a", index.digest);
      clock.now += 5;
      assert.equal(await storage.purgeDeleted(scope, clock.now, 10), 1);
      assert.deepEqual(await storage.undeleteManifest(scope, "a", index.digest), { kind: "unknown" });
      assert.equal((await storage.findManifest(scope, "a", { digest: child.digest }))?.digest, child.digest);
    },
  );

  check("pushing a deleted manifest again makes it new", async (storage, scope, clock) => {
    const manifest = manifestOf("m");
    await storage.putManifest(scope, "a", { manifest, tags: ["t"] });
    await storage.deleteManifest(scope, "a", manifest.digest);
    const pushed = await storage.putManifest(scope, "a", { manifest, tags: ["t"] });
    assert.deepEqual(pushed, { kind: "stored", created: true });
    assert.equal(await storage.purgeDeleted(scope, clock.now + 1, 10), 0);
  });

  check("a tag is rolled back to what it was, also to a deleted manifest", async (storage, scope) => {
    const [one, two] = [manifestOf("1"), manifestOf("2")];
    await storage.putManifest(scope, "a", { manifest: one, tags: ["t"] });
    await storage.putManifest(scope, "a", { manifest: two, tags: ["t"] });
    await storage.deleteManifest(scope, "a", one.digest);
    assert.equal((await storage.findManifest(scope, "a", { tag: "t" }))?.digest, two.digest);
    const restored = await storage.restoreTag(scope, "a", "t", one.digest);
    assert.deepEqual(restored, { kind: "restored", manifests: [one.digest], tags: ["t"] });
    assert.equal((await storage.findManifest(scope, "a", { tag: "t" }))?.digest, one.digest);
    assert.deepEqual(await storage.restoreTag(scope, "a", "t", one.digest), { kind: "unchanged" });
    assert.deepEqual(await storage.restoreTag(scope, "a", "t", digestOf("never")), { kind: "unknown" });
    assert.deepEqual(await storage.restoreTag(scope, "b", "t", one.digest), { kind: "unknown" });
  });

  check("deleted tags are listed, also those that went alone", async (storage, scope, clock) => {
    const [one, two] = [manifestOf("1"), manifestOf("2")];
    await storage.putManifest(scope, "a", { manifest: one, tags: ["alone", "moved", "again", "stays"] });
    await storage.putManifest(scope, "a", { manifest: two, tags: ["moved", "with"] });
    await storage.putManifest(scope, "b", { manifest: one, tags: ["other"] });
    assert.deepEqual(await storage.listDeletedTags(scope, "never", 10), []);
    for (const tag of ["again", "alone", "moved"]) {
      clock.now += 5;
      await storage.deleteTag(scope, "a", tag);
    }
    await storage.putManifest(scope, "a", { manifest: two, tags: ["again"] });
    await storage.deleteTag(scope, "b", "other");
    const moved = { tag: "moved", digest: two.digest, deletedAt: 1_000_015 };
    const alone = { tag: "alone", digest: one.digest, deletedAt: 1_000_010 };
    assert.deepEqual(await storage.listDeletedTags(scope, "a", 10), [moved, alone]);
    assert.deepEqual(await storage.listDeletedTags(scope, "a", 1), [moved]);
    const names = async (): Promise<string[]> => (await storage.listDeletedTags(scope, "a", 10)).map(({ tag }) => tag);
    await storage.deleteManifest(scope, "a", two.digest);
    assert.deepEqual((await names()).sort(), ["again", "alone", "moved", "with"]);
    clock.now += 5;
    assert.equal(await storage.purgeDeleted(scope, clock.now, 10), 1);
    assert.deepEqual(await names(), ["alone"]);
    assert.equal((await storage.restoreTag(scope, "a", "alone", one.digest)).kind, "restored");
    assert.deepEqual(await names(), []);
  });

  check("referrers without a tag are purged with their subject, not before", async (storage, scope, clock) => {
    const subject = manifestOf("subject");
    const signature = { ...manifestOf("signature"), subject: subject.digest };
    const attestation = { ...manifestOf("of the signature"), subject: signature.digest };
    const tagged = { ...manifestOf("tagged"), subject: subject.digest };
    for (const manifest of [subject, signature, attestation])
      await storage.putManifest(scope, "a", { manifest, tags: [] });
    await storage.putManifest(scope, "a", { manifest: tagged, tags: ["keep"] });
    await storage.deleteManifest(scope, "a", subject.digest);
    assert.equal((await storage.listReferrers(scope, "a", subject.digest, { limit: 10 })).length, 2);
    clock.now += 5;
    let purged = 0;
    for (let more = 1; more > 0; purged += more) more = await storage.purgeDeleted(scope, clock.now, 1);
    assert.equal(purged, 3);
    assert.deepEqual(await storage.listTags(scope, "a", { limit: 10 }), ["keep"]);
    assert.equal((await storage.listReferrers(scope, "a", subject.digest, { limit: 10 })).length, 1);
  });

  check(
    "marking what has no tag spares parts of indexes and referrers of what lives",
    async (storage, scope, clock) => {
      const child = manifestOf("child");
      const index = manifestOf("index", [
        { kind: "manifest", digest: child.digest, size: child.bytes.length, required: true },
      ]);
      const signature = { ...manifestOf("signature"), subject: index.digest };
      const [loose, young] = [manifestOf("loose"), manifestOf("young")];
      const dangling = { ...manifestOf("dangling"), subject: digestOf("nowhere") };
      for (const manifest of [child, signature, loose, dangling])
        await storage.putManifest(scope, "a", { manifest, tags: [] });
      await storage.putManifest(scope, "a", { manifest: index, tags: ["t"] });
      clock.now += 10;
      await storage.putManifest(scope, "a", { manifest: young, tags: [] });
      let marked = 0;
      let after: string | undefined;
      do {
        const step = await storage.markUntagged(scope, clock.now, {
          limit: 2,
          ...(after === undefined ? {} : { after }),
        });
        marked += step.count;
        after = step.next ?? undefined;
      } while (after !== undefined);
      assert.equal(marked, 2);
      const gone = (await storage.listDeleted(scope, "a", 10)).map(({ digest }) => digest);
      assert.deepEqual(gone, [loose.digest, dangling.digest].sort());
    },
  );

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
    await link(storage, scope, "a", here);
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
    await link(storage, scope, "only-blobs", blobOf("x"));
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
    await link(storage, scope, "a", blob);
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
    await assert.rejects(
      storage.createUpload(scope, { id: "u3", repository: "a" }, 2),
      (error) => isTeuError(error, "exhausted") && error.detail["limit"] === 2,
    );
    assert.deepEqual(await storage.findUpload(scope, "a", "u1"), { id: "u1", repository: "a", algorithm: "sha512" });
    assert.equal(await storage.findUpload(scope, "b", "u1"), null);
    assert.deepEqual(await storage.endIdleUploads(scope, clock.now, 10), ["u1"]);
    assert.equal(await storage.findUpload(scope, "a", "u1"), null);
    assert.equal(await storage.deleteUpload(scope, "u2"), true);
    assert.equal(await storage.deleteUpload(scope, "u2"), false);
  });

  check("blobs that nothing refers to are let go after a while, others never", async (storage, scope, clock) => {
    const [used, unused] = [blobOf("used"), blobOf("unused")];
    await link(storage, scope, "a", used);
    await link(storage, scope, "a", unused);
    await storage.putManifest(scope, "a", { manifest: manifestOf("m", [reference(used)]), tags: ["t"] });
    assert.deepEqual(await storage.releaseUnusedBlobs(scope, clock.now, { limit: 10 }), { count: 0, next: null });
    clock.now += 1_000_000;
    const first = await storage.releaseUnusedBlobs(scope, clock.now, { limit: 1 });
    const second = await storage.releaseUnusedBlobs(scope, clock.now, { limit: 2, after: first.next ?? "" });
    assert.equal(first.count + second.count, 1);
    assert.equal(second.next, null);
    assert.equal(await storage.findBlob(scope, "a", unused.digest), null);
    assert.deepEqual(await storage.findBlob(scope, "a", used.digest), used);
    assert.deepEqual(await storage.forgetOrphans(scope, clock.now, 10, () => {}), [unused]);
  });

  check("asking for a blob renews its lease; a deleted manifest keeps its blobs", async (storage, scope, clock) => {
    const blob = blobOf("layer");
    const released = async (): Promise<number> =>
      (await storage.releaseUnusedBlobs(scope, clock.now - 1, { limit: 10 })).count;
    await link(storage, scope, "a", blob);
    clock.now += 1_000_000;
    await storage.findBlob(scope, "a", blob.digest);
    assert.equal(await released(), 0);
    const manifest = manifestOf("m", [reference(blob)]);
    await storage.putManifest(scope, "a", { manifest, tags: [] });
    clock.now += 1_000_000;
    await storage.deleteManifest(scope, "a", manifest.digest);
    assert.equal(await released(), 0);
    clock.now += 1_000_000;
    await storage.purgeDeleted(scope, clock.now, 10);
    assert.equal(await released(), 1);
  });

  check("everything can be gone through, page by page", async (storage, scope, clock) => {
    const layer = blobOf("layer");
    await link(storage, scope, "a", layer);
    const [one, two] = [manifestOf("1", [reference(layer)]), manifestOf("2")];
    await storage.putManifest(scope, "a", { manifest: one, tags: ["x", "y"] });
    await storage.putManifest(scope, "b", { manifest: two, tags: ["z"] });
    await storage.deleteManifest(scope, "b", two.digest);
    clock.now += 1_000_000;
    storage.notePull(scope, "a", one.digest);
    storage.notePull(scope, "nowhere", one.digest);
    await storage.flushPulls(scope);
    const first = await storage.listManifests(scope, { limit: 1 });
    const second = await storage.listManifests(scope, { limit: 2, after: first.next ?? "" });
    assert.equal(second.next, null);
    const times = [...first.manifests, ...second.manifests].map(
      ({ repository, digest, pushedAt, pulledAt, deletedAt }) => [repository, digest, pushedAt, pulledAt, deletedAt],
    );
    assert.deepEqual(times, [
      ["a", one.digest, 1_000_000, 2_000_000, null],
      ["b", two.digest, 1_000_000, null, 1_000_000],
    ]);
    assert.equal((await storage.listManifests(scope, { limit: 10, repository: "b" })).manifests.length, 1);
    assert.equal((await storage.listManifests(scope, { limit: 10, repository: "nowhere" })).manifests.length, 0);
    const target = { tag: "y", digest: one.digest, updatedAt: 1_000_000 };
    assert.deepEqual(await storage.listTagTargets(scope, "a", { limit: 10, after: "x" }), [target]);
    assert.deepEqual(await storage.listBlobs(scope, { limit: 10 }), [layer]);
    assert.deepEqual(await storage.listBlobs(scope, { limit: 10, after: layer.digest }), []);
    assert.deepEqual(
      [await storage.hasBlob(scope, "a", layer.digest), await storage.hasBlob(scope, "b", layer.digest)],
      [true, false],
    );
    const state = (): Promise<string | null> => storage.blobState(scope, layer.digest);
    assert.equal(await state(), "linked");
    await storage.unlinkBlob(scope, "a", layer.digest);
    assert.equal(await state(), "orphan");
    await storage.createUpload(scope, { id: "u", repository: "a" }, 10);
    await storage.claimBlobs(scope, "u", [layer.digest]);
    assert.equal(await state(), "claimed");
    await storage.deleteUpload(scope, "u");
    await storage.forgetOrphans(scope, clock.now + 1, 10, () => {});
    assert.equal(await state(), null);
  });

  check("a lease from the future, of a clock that was set back, is renewed to now", async (storage, scope, clock) => {
    const blob = blobOf("layer");
    clock.now += 10_000_000;
    await link(storage, scope, "a", blob);
    clock.now -= 10_000_000;
    await storage.findBlob(scope, "a", blob.digest);
    assert.equal((await storage.releaseUnusedBlobs(scope, clock.now + 1, { limit: 10 })).count, 1);
  });
}

async function link(storage: MetadataStorage, scope: Scope, repository: string, blob: BlobInfo): Promise<void> {
  const upload = randomUUID();
  await storage.createUpload(scope, { id: upload, repository }, 100);
  await storage.claimBlobs(scope, upload, [blob.digest]);
  assert.equal(await storage.linkClaimed(scope, repository, { upload, blobs: [blob], end: true }), true);
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
