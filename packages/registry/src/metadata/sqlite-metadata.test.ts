import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { metadataStorageSuite } from "@teu/distribution/server/metadata-storage.suite";
import { digestOf } from "@teu/image/digest";
import { tempRoot } from "@teu/testkit/temp-root";

import { Database } from "./database.ts";
import { SqliteMetadata } from "./sqlite-metadata.ts";

const scope = createScope();

metadataStorageSuite("SqliteMetadata in memory", async () => {
  const storage = SqliteMetadata.open(":memory:");
  return { storage, [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose]() };
});

metadataStorageSuite("SqliteMetadata on disk", async () => {
  const root = await tempRoot();
  const storage = SqliteMetadata.open(root.join("registry.db"));
  return {
    storage,
    [Symbol.asyncDispose]: async () => {
      await storage[Symbol.asyncDispose]();
      await root[Symbol.asyncDispose]();
    },
  };
});

test("SqliteMetadata: what another process changes is seen at once", async () => {
  await using root = await tempRoot();
  await using mine = SqliteMetadata.open(root.join("registry.db"));
  await using theirs = SqliteMetadata.open(root.join("registry.db"));
  const push = (
    text: string,
  ): { manifest: Parameters<SqliteMetadata["putManifest"]>[2]["manifest"]; tags: string[] } => ({
    manifest: { digest: digestOf(text), mediaType: "m/t", bytes: Buffer.from(text), references: [] },
    tags: ["t"],
  });
  await mine.putManifest(scope, "a", push("one"));
  await mine.findManifest(scope, "a", { tag: "t" });
  await theirs.putManifest(scope, "a", push("two"));
  assert.equal((await mine.findManifest(scope, "a", { tag: "t" }))?.digest, digestOf("two"));
});

test("Database.open: refuses what is no index of ours, and says why", async () => {
  await using root = await tempRoot();
  const newer = root.join("newer.db");
  using db = Database.open(newer);
  db.run("PRAGMA user_version = 999");
  db[Symbol.dispose]();
  assert.throws(
    () => Database.open(newer),
    (error) => isTeuError(error, "unsupported") && /version 999/.test(error.message),
  );
  const garbage = root.join("garbage.db");
  writeFileSync(garbage, "this is not a database, but it is long enough to look like one".repeat(100));
  assert.throws(
    () => Database.open(garbage),
    (error) => isTeuError(error, "corrupt"),
  );
  assert.throws(
    () => Database.open(root.join("no", "such", "dir.db")),
    (error) => isTeuError(error, "denied"),
  );
});

test("Database.transaction: an exception undoes everything", async () => {
  using db = Database.open(":memory:");
  assert.throws(
    () =>
      db.transaction(() => {
        db.run("INSERT INTO repository (name, created_at) VALUES ('a', 1)");
        throw new Error("stop");
      }),
    /stop/,
  );
  assert.deepEqual(db.all("SELECT * FROM repository"), []);
});
