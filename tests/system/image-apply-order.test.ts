// Files of a layer are written in the thread pool while the tar is read on. Whatever the order of the entries, and however the
// tar is cut into chunks, the result is that of writing each entry before the next one is looked at.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { test } from "node:test";

import fc from "fast-check";

import { isTeuError } from "@teu/base/errors";
import { removeTree } from "@teu/files/remove-tree";
import { LayerWriter } from "@teu/image/layer/layer-writer";
import { TarReader } from "@teu/image/tar/reader";

import { type LayerItem, LayerStack, layerTar } from "./image-layers.ts";
import { describeTree } from "./image-tree.ts";

/** Few names, so that entries meet each other. */
const part = fc.constantFrom("a", "b", "c");
const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
const attributes = fc.record({
  mode: fc.constantFrom(0o644, 0o755, 0o600, 0o640, 0o4711),
  uid: fc.constantFrom(0, 1000),
  mtimeNs: fc.bigInt({ min: 0n, max: 2_000_000_000_000_000_000n }),
});
const item: fc.Arbitrary<LayerItem> = fc
  .tuple(path, path, attributes, fc.integer({ min: 0, max: 2000 }))
  .chain(([name, other, rest, size]) =>
    fc.oneof(
      { weight: 6, arbitrary: fc.constant({ ...rest, name, content: name.slice(-1).repeat(size) }) },
      { weight: 1, arbitrary: fc.constant({ ...rest, name, xattrs: new Map([["user.x", Buffer.from("y")]]) }) },
      { weight: 3, arbitrary: fc.constant({ ...rest, name: `${name}/` }) },
      {
        weight: 1,
        arbitrary: fc
          .constantFrom(other, `/${other}`, "..")
          .map((linkName) => ({ ...rest, name, type: "symlink" as const, linkName })),
      },
      { weight: 2, arbitrary: fc.constant({ ...rest, name, type: "hardlink" as const, linkName: other }) },
      { weight: 1, arbitrary: fc.constant({ ...rest, name, type: "fifo" as const }) },
      { weight: 1, arbitrary: fc.constant({ name: name.replace(/[^/]*$/, (last) => `.wh.${last}`) }) },
      { weight: 1, arbitrary: fc.constant({ name: `${name}/.wh..wh..opq` }) },
    ),
  );
const layer = fc.array(item, { maxLength: 25 });

/** What became of a layer: its tree, or its error. */
type Outcome = { tree: string[] } | { code: string; subject: unknown; cause: string };

/** Unpacks by hand; `settled` says after how many bytes everything is written before the next byte is looked at. */
async function unpack(
  stack: LayerStack,
  tar: Uint8Array,
  pieces: readonly number[],
  settled: boolean,
): Promise<Outcome> {
  const target = stack.path("target");
  mkdirSync(target);
  try {
    using writer = new LayerWriter(stack.scope.log, target, stack.layers);
    const reader = new TarReader(writer);
    for (let at = 0, turn = 0; at < tar.length; turn++) {
      const size = pieces[turn % pieces.length] as number;
      reader.write(tar.subarray(at, at + size));
      await writer.flush();
      if (settled) await writer.flush();
      at += size;
    }
    reader.end();
    writer.finish();
    // A whiteout has the time of its making.
    return { tree: describeTree(target).map((line) => line.replace(/ t=\d+( dev=0,0)$/, "$1")) };
  } catch (error) {
    if (!isTeuError(error)) throw error;
    return { code: error.code, subject: error.subject, cause: String((error.cause as Error | undefined)?.message) };
  } finally {
    await removeTree(stack.scope, target);
  }
}

test("applyLayer: files written together are as files written one by one, for any entries over any lower layer", async () => {
  await using stack = await LayerStack.make();
  const outcomes = { tree: 0, error: 0 };
  await fc.assert(
    fc.asyncProperty(
      layer,
      layer,
      fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 8 }),
      async (below, above, pieces) => {
        await using lower = await LayerStack.make();
        // A lower layer that cannot be unpacked is none.
        await lower.add(layerTar(below)).catch(() => {});
        stack.layers.splice(0, stack.layers.length, ...lower.layers);
        const tar = layerTar(above);
        const one = await unpack(stack, tar, [512], true);
        assert.deepEqual(await unpack(stack, tar, [tar.length], false), one);
        assert.deepEqual(await unpack(stack, tar, pieces, false), one);
        outcomes["tree" in one ? "tree" : "error"]++;
      },
    ),
    { numRuns: 60 },
  );
  assert.ok(outcomes.tree > 0 && outcomes.error > 0, JSON.stringify(outcomes));
});

test("applyLayer: a file that cannot be written is named with its call, before what came after it", async () => {
  await using stack = await LayerStack.make();
  const items: LayerItem[] = [
    { name: "d/" },
    { name: "d/good", content: "x" },
    { name: `d/${"n".repeat(256)}`, content: "y" },
    { name: `d/${"m".repeat(256)}`, content: "z" },
    { name: `d/${"k".repeat(256)}`, type: "fifo" },
  ];
  await assert.rejects(stack.add(items), (error) => {
    assert.ok(isTeuError(error, "invalid"));
    assert.equal(error.subject, items[2]?.name);
    assert.ok(isTeuError(error.cause));
    const { errno, syscall } = error.cause.detail as { errno: string; syscall: string };
    assert.deepEqual(
      [error.op, error.cause.op, errno, syscall],
      ["unpack layer entry", "write", "ENAMETOOLONG", "openat"],
    );
    return true;
  });
});
