// What every implementation of Snapshots must do. Needs what the implementation needs (the overlay one: root).

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import type { Scope } from "@teu/base/scope";
import { chainIdOf } from "@teu/image/chain-id";
import { type Digest, digestOf } from "@teu/image/digest";
import type { Descriptor } from "@teu/specs/image";

import type { Snapshots } from "./snapshots.ts";

/** One implementation, ready for one test. */
export interface SnapshotsUnderTest extends AsyncDisposable {
  readonly scope: Scope;
  readonly snapshots: Snapshots;
  /** Puts the tar of these files (name to content) where `unpack` finds it. */
  blob(files: Readonly<Record<string, string>>): Promise<{ readonly descriptor: Descriptor; readonly diffId: Digest }>;
  /** Files that are neither layer nor workspace. */
  leftovers(): readonly string[];
}

/** Runs the suite. */
export function snapshotsSuite(
  name: string,
  make: () => Promise<SnapshotsUnderTest>,
  options: { readonly skip?: string | undefined } = {},
): void {
  const check = (what: string, body: (under: SnapshotsUnderTest) => Promise<void>): void => {
    void test(`${name}: ${what}`, { skip: options.skip }, async () => {
      await using under = await make();
      await body(under);
      assert.deepEqual(under.leftovers(), []);
    });
  };

  check("unpack stacks layers by chain id, and again does nothing", async ({ snapshots, scope, blob }) => {
    const one = await blob({ a: "1", b: "1" });
    const two = await blob({ b: "2" });
    const lower = await snapshots.unpack(scope, { descriptor: one.descriptor, parent: null, diffId: one.diffId });
    const upper = await snapshots.unpack(scope, { descriptor: two.descriptor, parent: lower.chainId });
    assert.equal(lower.chainId, one.diffId);
    assert.equal(upper.chainId, chainIdOf(one.diffId, two.diffId));
    assert.equal(readFileSync(join(upper.directory, "b"), "utf8"), "2");
    assert.deepEqual(
      (await snapshots.chain(scope, upper.chainId)).map((layer) => layer.chainId),
      [upper.chainId, lower.chainId],
    );
    assert.deepEqual(
      await snapshots.unpack(scope, { descriptor: two.descriptor, parent: lower.chainId, diffId: two.diffId }),
      upper,
    );
    assert.equal((await snapshots.list(scope)).length, 2);
  });

  check("unpack of the same layer many times at once makes one", async ({ snapshots, scope, blob }) => {
    const { descriptor, diffId } = await blob({ a: "1" });
    const layers = await Promise.all(
      Array.from({ length: 6 }, () => snapshots.unpack(scope, { descriptor, parent: null, diffId })),
    );
    assert.equal(new Set(layers.map((layer) => layer.directory)).size, 1);
    assert.equal((await snapshots.list(scope)).length, 1);
  });

  check(
    "unpack refuses wrong content and an unknown parent, and leaves nothing",
    async ({ snapshots, scope, blob }) => {
      const { descriptor } = await blob({ a: "1" });
      await assert.rejects(snapshots.unpack(scope, { descriptor, parent: null, diffId: digestOf("other") }), {
        code: "corrupt",
      });
      await assert.rejects(
        snapshots.unpack(scope, { descriptor: { ...descriptor, size: descriptor.size + 1 }, parent: null }),
        { code: "corrupt" },
      );
      await assert.rejects(snapshots.unpack(scope, { descriptor, parent: digestOf("no parent") }), {
        code: "not-found",
      });
      await assert.rejects(
        snapshots.unpack(scope, { descriptor: { ...descriptor, mediaType: "text/plain" }, parent: null }),
        { code: "unsupported" },
      );
      assert.deepEqual(await snapshots.list(scope), []);
    },
  );

  check(
    "prepare gives a writable directory with the root's attributes; remove takes it away",
    async ({ snapshots, scope, blob }) => {
      const { descriptor } = await blob({ a: "1" });
      const layer = await snapshots.unpack(scope, { descriptor, parent: null });
      const workspace = await snapshots.prepare(scope, "key", layer.chainId);
      assert.deepEqual(workspace.lower, [layer.directory]);
      assert.equal(statSync(workspace.upper).mode, statSync(layer.directory).mode);
      await assert.rejects(snapshots.prepare(scope, "key", null), { code: "already-exists" });
      writeFileSync(join(workspace.upper, "new"), "x".repeat(10_000));
      assert.ok((await snapshots.usage(scope, "key")).bytes >= 10_000);
      assert.deepEqual(await snapshots.workspace(scope, "key"), workspace);
      await snapshots.remove(scope, "key");
      await snapshots.remove(scope, "key");
      assert.equal(await snapshots.workspace(scope, "key"), null);
      assert.ok(!existsSync(workspace.upper));
      await assert.rejects(snapshots.usage(scope, "key"), { code: "not-found" });
    },
  );

  check("prepare refuses keys that could be paths, and layers that are not there", async ({ snapshots, scope }) => {
    for (const key of ["", ".", "..", "../x", "a/b", "a\0b", "x".repeat(200)])
      await assert.rejects(snapshots.prepare(scope, key, null), { code: "invalid" }, key);
    await assert.rejects(snapshots.prepare(scope, "key", digestOf("nothing")), { code: "not-found" });
    assert.equal(await snapshots.workspace(scope, "key"), null);
  });

  check("commit turns the changes into a layer that unpacks to the same", async ({ snapshots, scope, blob }) => {
    const { descriptor } = await blob({ a: "1" });
    const base = await snapshots.unpack(scope, { descriptor, parent: null });
    const workspace = await snapshots.prepare(scope, "step", base.chainId);
    mkdirSync(join(workspace.upper, "dir"));
    writeFileSync(join(workspace.upper, "dir/file"), "made");
    const inode = statSync(join(workspace.upper, "dir/file")).ino;
    const layer = await snapshots.commit(scope, "step");
    assert.equal(layer.parent, base.chainId);
    assert.equal(layer.chainId, chainIdOf(base.chainId, layer.diffId));
    assert.equal(statSync(join(layer.directory, "dir/file")).ino, inode, "moved, not copied");
    assert.equal(await snapshots.workspace(scope, "step"), null);
    assert.ok(layer.blob !== null);
    assert.deepEqual(
      await snapshots.unpack(scope, { descriptor: layer.blob, parent: base.chainId, diffId: layer.diffId }),
      layer,
    );
    await assert.rejects(snapshots.commit(scope, "step"), { code: "not-found" });
  });
}
