import assert from "node:assert/strict";
import { test } from "node:test";

import type { Digest } from "@teu/image/digest";

import { Database } from "../store/database.ts";
import { putImage, putImageName } from "../store/image-rows.ts";
import { findImage } from "./find.ts";

const digest = (start: string) => `sha256:${start.padEnd(64, "0")}` as Digest;

function opened(): Database {
  const db = Database.open(":memory:");
  for (const [id, manifest] of [
    ["abc1", "11"],
    ["abc2", "22"],
    ["def0", "33"],
  ] as const) {
    putImage(
      db,
      {
        id: digest(id),
        manifest: { mediaType: "m", digest: digest(manifest), size: 1 },
        platform: { os: "linux", architecture: "amd64" },
        chainId: null,
        blobs: [],
        size: 0,
        createdAt: 0,
      },
      0,
    );
  }
  const name = (text: string, id: string, target: string) =>
    putImageName(db, text, digest(id), { mediaType: "m", digest: digest(target), size: 1 }, 0);
  name("docker.io/library/busybox:latest", "abc1", "11");
  name("localhost:5000/a/b:v1", "abc2", "44");
  name("docker.io/library/def0:latest", "abc1", "11");
  return db;
}

test("findImage: names, digests, ids and beginnings of ids", () => {
  using db = opened();
  const cases: { ref: string; want: string }[] = [
    { ref: "busybox", want: "abc1" },
    { ref: "docker.io/library/busybox:latest", want: "abc1" },
    { ref: "localhost:5000/a/b:v1", want: "abc2" },
    { ref: `localhost:5000/a/b@${digest("44")}`, want: "abc2" },
    { ref: `localhost:5000/a/b@${digest("22")}`, want: "abc2" },
    { ref: digest("def0"), want: "def0" },
    { ref: digest("def0").slice(7), want: "def0" },
    { ref: "abc2", want: "abc2" },
    { ref: "sha256:abc2", want: "abc2" },
    // A name wins over the beginning of an id.
    { ref: "def0", want: "abc1" },
  ];
  for (const { ref, want } of cases) assert.equal(findImage(db, ref).row.id, digest(want), ref);
});

test("findImage: not-found and conflict", () => {
  using db = opened();
  const cases = [
    { ref: "abc", code: "conflict" },
    { ref: "busybox:other", code: "not-found" },
    { ref: "fff", code: "not-found" },
    { ref: "NOT/a/Name", code: "not-found" },
    { ref: "../../etc/passwd", code: "not-found" },
    { ref: `busybox@${digest("99")}`, code: "not-found" },
    { ref: "", code: "not-found" },
  ];
  for (const { ref, code } of cases) assert.throws(() => findImage(db, ref), { code }, ref);
});

test("findImage: for a platform it is the one that is here, or an error that says for which it is", () => {
  using db = opened();
  const amd64 = { os: "linux", architecture: "amd64" };
  for (const platform of [amd64, { ...amd64, variant: "v3" }])
    assert.equal(findImage(db, "busybox", platform).row.id, digest("abc1"));
  for (const ref of ["busybox", "abc1", digest("abc1")])
    assert.throws(() => findImage(db, ref, { os: "linux", architecture: "arm64" }), {
      code: "not-found",
      message: /here for linux\/amd64, not for linux\/arm64/,
    });
});
