// Files of a layer are written in the thread pool while the tar is read on. Whatever the order of the entries, and however the
// tar is cut into chunks, the result is that of writing each entry before the next one is looked at.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import fc from "fast-check";

import { isTeuError } from "@teu/base/errors";
import { removeTree } from "@teu/files/remove-tree";
import { LayerWriter } from "@teu/image/layer/layer-writer";
import type { TarEntry } from "@teu/image/tar/entry";
import { TarReader, type TarSink } from "@teu/image/tar/reader";

import { type LayerItem, LayerStack, layerTar } from "./image-layers.ts";
import { describeTree } from "./image-tree.ts";

/** Few names, so that entries meet each other. */
const part = fc.constantFrom("a", "b", "c", ".d", "é");
const before = fc.constantFrom("", "", "", "./", "/", "a//", "a/./");
const path = fc
  .tuple(before, fc.array(part, { minLength: 1, maxLength: 4 }))
  .map(([first, parts]) => first + parts.join("/"));
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

/** The same sink without its way for many files at once. */
function oneByOne(sink: TarSink): TarSink {
  return {
    entry: (entry) => sink.entry(entry),
    data: (chunk, offset) => sink.data(chunk, offset),
    endEntry: () => sink.endEntry(),
  };
}

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
    const reader = new TarReader(settled ? oneByOne(writer) : writer);
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

const BLOCK = 512;
const CHECKSUM = 148;

/** Puts the checksum of a header right, after `change`. */
function changed(header: Buffer, change: (header: Buffer) => void): void {
  change(header);
  header.fill(" ", CHECKSUM, CHECKSUM + 8);
  const sum = header.reduce((all, byte) => all + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, CHECKSUM, "latin1");
}

/** Headers as other programs write them, or nobody should. */
const HEADERS: Readonly<Record<string, (header: Buffer) => void>> = {
  "V7: no magic, a NUL for the type": (header) => header.fill(0, 156, 157).fill(0, 257, 512),
  "a NUL for the type": (header) => header.fill(0, 156, 157),
  GNU: (header) => header.write("ustar  \0", 257, "latin1"),
  "another version": (header) => header.write("ustarX", 257, "latin1"),
  "a file type in the mode": (header) => header.write("0100644\0", 100, "latin1"),
  "setuid and more bits than there are": (header) => header.write("7774711\0", 100, "latin1"),
  "spaces before a number": (header) => header.write("   1750\0", 108, "latin1"),
  "a space after a number": (header) => header.write("0001750 ", 108, "latin1"),
  "a number to the last byte": (header) => header.write("00001750", 108, "latin1"),
  "no number": (header) => header.fill(0, 108, 116),
  "a number that is none": (header) => header.write("0000x50\0", 116, "latin1"),
  "a digit that is none": (header) => header.write("0000080\0", 116, "latin1"),
  "a number in base 256": (header) => header.fill(0, 108, 116).writeUInt8(0x80, 108),
  "a time before 1970": (header) => header.fill(0xff, 136, 148),
  "the last second that fits": (header) => header.write("77777777777\0", 136, "latin1"),
  "device numbers": (header) => header.write("0000001\0", 329, "latin1"),
  "device numbers that are none": (header) => header.write("zzz", 329, "latin1"),
  "a part of the name before it": (header) => header.write("a", 345, "latin1"),
  "the target of a link": (header) => header.write("x", 157, "latin1"),
  "a name without its end": (header) => header.fill("n", 2, 100),
  "a name of bytes": (header) => header.writeUInt8(0xff, 2),
  "a name that begins with a dot": (header) => header.write("d/.x\0", 0, "latin1"),
  "a whiteout": (header) => header.write("d/.wh.x\0", 0, "latin1"),
  "a path out of the layer": (header) => header.write("d/../../x\0", 0, "latin1"),
  "another directory": (header) => header.write("d/e/x\0", 0, "latin1"),
  "a name with a slash at its end": (header) => header.write("d/x/\0", 0, "latin1"),
  "the directory's own name": (header) => header.write("d/\0", 0, "latin1"),
  "no name": (header) => header.fill(0, 0, 100),
  "the name of the file before": (header) => header.write("d/first\0", 0, "latin1"),
  "more content than there is": (header) => header.write("00000777777\0", 124, "latin1"),
  "a size beyond all files": (header) => header.write("77777777777\0", 124, "latin1"),
  "a type that nobody knows": (header) => header.write("Z", 156, "latin1"),
};

test("LayerWriter: files that follow their directory are not told one by one", async () => {
  await using stack = await LayerStack.make();
  const target = stack.path("target");
  mkdirSync(target);
  using writer = new LayerWriter(stack.scope.log, target, []);
  const told: string[] = [];
  const plainFiles = writer.plainFiles.bind(writer);
  const entry = (given: TarEntry): void => {
    told.push(given.name);
    writer.entry(given);
  };
  const reader = new TarReader({ ...oneByOne(writer), entry, plainFiles });
  const names = ["d/", "d/a", "d/b", "d/a", "d/c", "d/.d", "d/e"];
  reader.write(layerTar(names.map((name) => (name.endsWith("/") ? { name } : { name, content: name }))));
  reader.end();
  await writer.flush();
  writer.finish();
  assert.deepEqual(told, ["d", "d/a", "d/.d"]);
  assert.equal(reader.entries, names.length);
  assert.deepEqual(readdirSync(join(target, "d")).toSorted(), [".d", "a", "b", "c", "e"]);
});

test("applyLayer: a header means the same among many files as alone, whoever wrote it", async () => {
  await using stack = await LayerStack.make();
  const outcomes = { tree: 0, error: 0 };
  const items: LayerItem[] = ["d/", "d/first", "d/second", "d/third"].map((name) => ({
    name,
    content: "",
    mode: 0o644,
  }));
  const check = async (tar: Buffer, what: string): Promise<void> => {
    const one = await unpack(stack, tar, [BLOCK], true);
    assert.deepEqual(await unpack(stack, tar, [tar.length], false), one, what);
    outcomes["tree" in one ? "tree" : "error"]++;
  };
  for (const [what, change] of Object.entries(HEADERS)) {
    const tar = layerTar(items);
    changed(tar.subarray(2 * BLOCK, 3 * BLOCK), change);
    await check(tar, what);
  }
  assert.ok(outcomes.tree >= 20 && outcomes.error >= 8, JSON.stringify(outcomes));
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: BLOCK - 1 }), fc.nat({ max: 255 }), fc.boolean(), async (at, byte, right) => {
      const tar = layerTar(items);
      const header = tar.subarray(2 * BLOCK, 3 * BLOCK);
      if (right) changed(header, () => header.writeUInt8(byte, at));
      else header.writeUInt8(byte, at);
      await check(tar, `${byte} at ${at}`);
    }),
    { numRuns: 300 },
  );
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

test("applyLayer: a link in the place of a lower directory that was looked into is what leads on", async () => {
  await using stack = await LayerStack.make();
  await stack.add([{ name: "d/" }, { name: "d/x", content: "x" }]);
  await stack.add([
    { name: "e/" },
    { name: "h", type: "hardlink", linkName: "d/x" },
    { name: "d", type: "symlink", linkName: "e" },
    { name: "d/y", content: "y" },
  ]);
  assert.equal(readFileSync(join(stack.top, "e/y"), "utf8"), "y");
  assert.equal(readFileSync(join(stack.top, "h"), "utf8"), "x");
  for (const file of [
    { name: "d", content: "file" },
    { name: "d", type: "fifo" as const },
  ])
    await assert.rejects(
      stack.add([
        { name: "i", type: "hardlink", linkName: "e/y" },
        { ...file, name: "e" },
        { name: "e/z", content: "z" },
      ]),
      (error) => isTeuError(error, "corrupt") && error.subject === "e",
    );
});

test("applyLayer: a directory that is gone is not made again for what is in another one", async () => {
  await using stack = await LayerStack.make();
  await stack.add([
    { name: "a/" },
    { name: "a/b", content: "b" },
    { name: "a", type: "fifo" },
    { name: "c", content: "c" },
    { name: ".wh.a" },
  ]);
  assert.deepEqual(readdirSync(stack.top).toSorted(), ["a", "c"]);
  assert.equal(statSync(join(stack.top, "a")).isFIFO(), true);
});
