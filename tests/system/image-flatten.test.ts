// Trees read from tars alone are those that unpacking gives: for random stacks of layers with every kind of entry, the flattened image
// unpacks to what the stack shows, and both refuse the same stacks.

import assert from "node:assert/strict";
import { test } from "node:test";

import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { appendLayers } from "@teu/image/transforms/change-layers";
import { flatten } from "@teu/image/transforms/flatten";
import { layerTar as tarOfLayer } from "@teu/image/values/layer-value";
import { emptyImage } from "@teu/image/values/image-value";
import { tarLayer } from "@teu/image/values/make-layer";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { UnionView } from "@teu/image/layer/union-view";
import fc from "fast-check";

import { chunked, type LayerItem, LayerStack, layerTar } from "./image-layers.ts";

const skip = process.getuid?.() === 0 ? undefined : "needs root";
const RUNS = 150;

const NAME = fc.constantFrom("a", "b", "c", "d");
const PATH = fc.array(NAME, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
const META = fc.record({
  mode: fc.constantFrom(0o644, 0o755, 0o4711),
  uid: fc.constantFrom(0, 7),
  mtimeNs: fc.constantFrom(0n, 1_000_000_001n),
});
const ITEM: fc.Arbitrary<LayerItem> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(PATH, fc.string({ maxLength: 3 }), META)
      .map(([name, content, meta]) => ({ name, content, ...meta })),
  },
  { weight: 3, arbitrary: fc.tuple(PATH, META).map(([name, meta]) => ({ name, type: "directory" as const, ...meta })) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        PATH,
        fc.oneof(
          PATH,
          PATH.map((path) => `/${path}`),
          PATH.map((path) => `../${path}`),
        ),
      )
      .map(([name, linkName]) => ({ name, type: "symlink" as const, linkName })),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(PATH, PATH).map(([name, linkName]) => ({ name, type: "hardlink" as const, linkName })),
  },
  { weight: 2, arbitrary: PATH.map((path) => ({ name: path.replace(/[^/]+$/, ".wh.$&") })) },
  { weight: 1, arbitrary: PATH.map((path) => ({ name: `${path}/.wh..wh..opq` })) },
  { weight: 1, arbitrary: PATH.map((name) => ({ name, type: "fifo" as const })) },
  { weight: 1, arbitrary: META.map((meta) => ({ name: "./", type: "directory" as const, ...meta })) },
);
const STACK = fc.array(fc.array(ITEM, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 3 });

/** Everything that can be seen of a stack, one line per name. */
function seen(layers: readonly string[]): string[] {
  using view = UnionView.open(layers);
  const lines: string[] = [];
  const files = new Map<string, string>();
  const walk = (path: string): void => {
    for (const { name, stat } of view.readDir(path === "" ? "/" : path)) {
      const full = `${path}/${name}`;
      const type = stat.mode & 0o170000;
      const parts = [full, stat.mode.toString(8), stat.uid, stat.mtimeNs];
      if (type === 0o100000) parts.push(Buffer.from(view.readFile(full, 100)).toString("hex"));
      if (type === 0o120000) parts.push(view.readlink(full));
      if (type !== 0o040000) {
        const key = `${stat.devMajor}:${stat.devMinor}:${stat.ino}`;
        parts.push(`is ${files.get(key) ?? full}`);
        files.set(key, files.get(key) ?? full);
      }
      lines.push(parts.join(" "));
      if (type === 0o040000) walk(full);
    }
  };
  const { stat } = view.lookup("/") ?? assert.fail();
  lines.push(`/ ${stat.mode.toString(8)} ${stat.uid} ${stat.mtimeNs}`);
  walk("");
  return lines;
}

async function outcome<T>(action: () => Promise<T>): Promise<{ value: T } | { refused: true }> {
  try {
    return { value: await action() };
  } catch (error) {
    if (isTeuError(error, "corrupt") || isTeuError(error, "invalid")) return { refused: true };
    throw error;
  }
}

test("flatten: unpacks to what the layers give when unpacked one on the other", { skip }, async () => {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(STACK, async (stack) => {
      const tars = stack.map((items) => layerTar(items));
      await using unpacked = await LayerStack.make();
      const wanted = await outcome(async () => {
        for (const tar of tars) await unpacked.add(tar);
        return seen(unpacked.layers);
      });
      const scratch = new MemoryContentStore();
      const scope = createScope();
      const layers = tars.map((tar) => tarLayer(() => chunked(tar), { scratch, compression: "none" }));
      const image = emptyImage({ os: "linux", architecture: "amd64" }).apply(
        appendLayers(layers),
        flatten({ scratch, temporary: unpacked.directory, compression: "none" }),
      );
      const found = await outcome(async () => {
        const [layer] = await image.layers(scope);
        const tar = Buffer.concat(await Array.fromAsync(tarOfLayer(scope, layer ?? assert.fail())));
        await using flat = await LayerStack.make();
        await flat.add(tar);
        return seen(flat.layers);
      });
      assert.deepEqual(found, wanted);
      if ("value" in wanted) compared++;
    }),
    { numRuns: RUNS, seed: 4 },
  );
  assert.ok(compared > RUNS / 4, `only ${compared} of ${RUNS} stacks could be unpacked`);
});
