import assert from "node:assert/strict";
import { test } from "node:test";

import type { Digest } from "@teu/image/digest";
import { hostPlatform } from "@teu/image/platform";

import { Database } from "../store/database.ts";
import { blobNeeded } from "../store/garbage.ts";
import {
  deleteImageName,
  dropUnnamedIndexes,
  getImage,
  listImageNames,
  putImage,
  putImageName,
  putIndexMembers,
} from "../store/image-rows.ts";
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

test("findImage: of an index that is here for several platforms, this host's or the one that is asked for", () => {
  using db = opened();
  const architectures = { abc1: "s390x", abc2: hostPlatform().architecture } as const;
  for (const [id, architecture] of Object.entries(architectures)) {
    const row = getImage(db, digest(id));
    assert.ok(row !== null);
    putImage(db, { ...row, platform: { os: "linux", architecture } }, 0);
  }
  const target = { mediaType: "m", digest: digest("77"), size: 1 };
  putImageName(db, "localhost:5000/both:v1", digest("abc1"), target, 0);
  putIndexMembers(db, target.digest, [digest("abc1"), digest("abc2")], [digest("88")]);
  const cases: readonly [ref: string, architecture: string | undefined, want: string][] = [
    ["localhost:5000/both:v1", undefined, "abc2"],
    ["localhost:5000/both:v1", "s390x", "abc1"],
    [`localhost:5000/both@${digest("77")}`, "s390x", "abc1"],
    // By one image's digest it is that image.
    [`localhost:5000/both@${digest("11")}`, undefined, "abc1"],
    [`localhost:5000/both@${digest("22")}`, undefined, "abc2"],
    [digest("abc1"), undefined, "abc1"],
  ];
  for (const [ref, architecture, want] of cases) {
    const platform = architecture === undefined ? undefined : { os: "linux", architecture };
    assert.equal(findImage(db, ref, platform).row.id, digest(want), `${ref} ${architecture ?? ""}`);
  }
  assert.throws(() => findImage(db, "localhost:5000/both:v1", { os: "linux", architecture: "riscv64" }), {
    code: "not-found",
    message: /here for .* and .*, not for linux\/riscv64/,
  });
  assert.ok(listImageNames(db, digest("abc2")).some(({ name }) => name === "localhost:5000/both:v1"));
  assert.equal(blobNeeded(db, digest("88")), true);
  deleteImageName(db, "localhost:5000/both:v1");
  dropUnnamedIndexes(db);
  assert.equal(blobNeeded(db, digest("88")), false);
  assert.ok(!listImageNames(db, digest("abc2")).some(({ name }) => name === "localhost:5000/both:v1"));
});
