import assert from "node:assert/strict";
import { test } from "node:test";

import type { Digest } from "@teu/image/digest";

import { Database } from "./database.ts";
import { collectBlobs, collectLayers } from "./garbage.ts";
import { putImage } from "./image-rows.ts";
import { addWorkspace, putLayer } from "./layer-rows.ts";
import { addLease, deleteLease, EVERY_NEW_BLOB, expireLeases, LEASE_TERM, touchLease } from "./lease-rows.ts";

const digest = (letter: string) => `sha256:${letter.repeat(64)}` as Digest;
const [A, B, C, D] = [digest("a"), digest("b"), digest("c"), digest("d")];

function layers(db: Database): void {
  const put = (chainId: Digest, parent: Digest | null, blob: Digest) =>
    putLayer(db, { chainId, parent, diffId: chainId, blob: { mediaType: "t", digest: blob, size: 1 }, size: 10 }, 0);
  put(A, null, digest("1"));
  put(B, A, digest("2"));
  put(C, A, digest("3"));
}

function collected(db: Database): string[] {
  const gone: string[] = [];
  for (let batch = collectLayers(db); batch.length > 0; batch = collectLayers(db))
    gone.push(...batch.map(({ chainId }) => chainId));
  return gone;
}

function image(db: Database, chainId: Digest): void {
  putImage(
    db,
    {
      id: digest("e"),
      manifest: { mediaType: "m", digest: digest("f"), size: 1 },
      platform: { os: "linux", architecture: "amd64" },
      chainId,
      blobs: [digest("f"), digest("e")],
      size: 1,
      createdAt: 0,
    },
    0,
  );
}

test("collectLayers: takes what nothing needs, from the top down, and keeps parents of what is needed", () => {
  const cases: { name: string; root: (db: Database) => void; want: string[] }[] = [
    { name: "no roots", root: () => {}, want: [B, C, A] },
    { name: "image on B", root: (db) => image(db, B), want: [C] },
    { name: "workspace on A", root: (db) => addWorkspace(db, { key: "w", parent: A }, null, 0), want: [B, C] },
    { name: "lease on C", root: (db) => touchLease(db, addLease(db, 0), "layer", [C], 0), want: [B] },
  ];
  for (const { name, root, want } of cases) {
    using db = Database.open(":memory:");
    layers(db);
    root(db);
    assert.deepEqual(collected(db), want, name);
  }
});

test("collectBlobs: keeps what images, layers and leases need", () => {
  using db = Database.open(":memory:");
  layers(db);
  image(db, A);
  const lease = addLease(db, 0);
  touchLease(db, lease, "blob", [D], 0);
  const sweep = () => {
    const gone: string[] = [];
    collectBlobs(
      db,
      [digest("1"), digest("e"), digest("f"), D, digest("9")],
      () => 1000,
      (one) => gone.push(one),
    );
    return gone;
  };
  assert.deepEqual(sweep(), [digest("9")]);
  deleteLease(db, lease);
  assert.deepEqual(sweep(), [D, digest("9")]);
});

test("collectBlobs: spares blobs younger than a lease on every new blob", () => {
  using db = Database.open(":memory:");
  touchLease(db, addLease(db, 0), "blob", [EVERY_NEW_BLOB], 50_000);
  const gone: string[] = [];
  collectBlobs(
    db,
    [A, B],
    (one) => (one === A ? 10_000 : 60_000),
    (one) => gone.push(one),
  );
  assert.deepEqual(gone, [A]);
});

test("expireLeases: forgets dead owners at once and untouched items after their term", () => {
  using db = Database.open(":memory:");
  layers(db);
  db.run("INSERT INTO lease(id, owner, created_at) VALUES ('dead', 'another-boot:1:1', 0)");
  touchLease(db, "dead", "layer", [B], 0);
  const mine = addLease(db, 0);
  touchLease(db, mine, "layer", [C], 0);
  expireLeases(db, 1000);
  assert.deepEqual(collected(db), [B]);
  expireLeases(db, LEASE_TERM + 1);
  assert.deepEqual(collected(db), [C, A]);
});
