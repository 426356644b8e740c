import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";

import { Database } from "./database.ts";
import { MIGRATIONS } from "./schema.ts";

function place(): Disposable & { path: string } {
  const directory = mkdtempSync(join(tmpdir(), "teu-db-"));
  return {
    path: join(directory, "teu.db"),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}

test("Database: opens again what it made, with the schema's version", () => {
  using at = place();
  Database.open(at.path).close();
  using db = Database.open(at.path);
  assert.equal(db.get("PRAGMA user_version")?.["user_version"], MIGRATIONS.length);
  assert.equal(db.get("PRAGMA journal_mode")?.["journal_mode"], "wal");
});

test("Database: unsupported when a newer teu wrote it", () => {
  using at = place();
  Database.open(at.path).close();
  const raw = new DatabaseSync(at.path);
  raw.exec(`PRAGMA user_version = ${MIGRATIONS.length + 1}`);
  raw.close();
  assert.throws(() => Database.open(at.path), { code: "unsupported" });
});

test("Database: corrupt when the file is something else", () => {
  using at = place();
  writeFileSync(at.path, "certainly no database, but long enough to look at ".repeat(100));
  assert.throws(() => Database.open(at.path), { code: "corrupt" });
});

test("Database: a failed transaction leaves nothing, a nested one joins the outer", () => {
  using at = place();
  using db = Database.open(at.path);
  const add = (name: string) => db.run("INSERT INTO volume(name, anonymous, created_at) VALUES (?, 0, 0)", name);
  assert.throws(
    () =>
      db.transaction(() => {
        add("a");
        db.transaction(() => add("b"));
        throw new Error("no");
      }),
    /no/,
  );
  assert.deepEqual(db.all("SELECT name FROM volume"), []);
  db.transaction(() => add("c"), true);
  assert.equal(db.all("SELECT name FROM volume").length, 1);
});

test("Database: two connections see each other's commits, and the second waits for the first", () => {
  using at = place();
  using one = Database.open(at.path);
  using two = Database.open(at.path);
  one.transaction(() => one.run("INSERT INTO volume(name, anonymous, created_at) VALUES ('x', 0, 0)"));
  assert.equal(two.all("SELECT name FROM volume").length, 1);
});

test("Database: already-exists for a second row of the same key", () => {
  using at = place();
  using db = Database.open(at.path);
  const add = () => db.run("INSERT INTO volume(name, anonymous, created_at) VALUES ('x', 0, 0)");
  add();
  assert.throws(add, { code: "already-exists" });
});
