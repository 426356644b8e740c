// Random images against umoci: what it makes of our layers is what we make of them, and the layers that it makes of changes we read as
// the tree that it packed, to the last attribute. TEU_FUZZ_RUNS=200 for more images, TEU_FUZZ_SEED repeats a run.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { writeImageConfig, writeManifest } from "@teu/image/documents";
import { emptyImageConfig, withLayer } from "@teu/image/image-config";
import { diffOverlay } from "@teu/image/layer/diff";
import { diffTrees } from "@teu/image/layer/diff-trees";
import { packLayer } from "@teu/image/layer/pack";
import { exportLayout, importLayout } from "@teu/image/layout/export-layout";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { hostPlatform } from "@teu/image/platform";
import { parseReference } from "@teu/image/reference";
import { collectBytes } from "@teu/image/verified-stream";
import { type Descriptor, type ImageManifest, MEDIA_TYPES } from "@teu/specs/image";

import { chunked, type LayerItem, LayerStack, layerTar } from "./image-layers.ts";
import { describeTree } from "./image-tree.ts";

const skip = process.geteuid?.() !== 0 && "needs root";
const RUNS = Number(process.env["TEU_FUZZ_RUNS"] ?? 4);
const SEED = Number(process.env["TEU_FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const T = 1_600_000_000n * 10n ** 9n;
const NAMES = ["a", "b", "c", "dé", "e f", "long".repeat(40)];

/** mulberry32 */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) % below;
  };
}

type Random = (below: number) => number;

/** What the layers so far show: type by path. */
type Present = Map<string, "directory" | "other">;

function pick<T>(random: Random, list: readonly T[]): T {
  return list[random(list.length)] as T;
}

function attributes(random: Random): Partial<LayerItem> {
  return {
    mode: pick(random, [0o644, 0o600, 0o4755, 0o2711, 0o1777, 0]),
    uid: pick(random, [0, 1, 1000, 65_534, 3_000_000]),
    gid: pick(random, [0, 5, 70_000]),
    mtimeNs: T + BigInt(random(10 ** 9)) * 7n,
  };
}

/** Entries over what is present; every path once, whiteouts before what is new, as image-spec wishes. */
function randomLayer(random: Random, present: Present): LayerItem[] {
  const gone: LayerItem[] = [];
  const made = new Map<string, LayerItem>();
  for (const path of [...present.keys()]) {
    if (!present.has(path) || random(5) > 0) continue;
    const slash = path.lastIndexOf("/");
    gone.push({ name: `${path.slice(0, slash + 1)}.wh.${path.slice(slash + 1)}`, mtimeNs: T });
    drop(present, path);
  }
  const files: string[] = [];
  for (let count = 4 + random(8); count > 0; count--) {
    const parents = ["", ...[...present].flatMap(([path, type]) => (type === "directory" ? [`${path}/`] : []))];
    const path = `${pick(random, parents)}${pick(random, NAMES)}`;
    if (path.length > 700 || made.has(path) || [...made.keys()].some((known) => known.startsWith(`${path}/`))) continue;
    const item = randomItem(random, path, files);
    const directory = item.type === "directory";
    // What was a directory and is none any more, or the other way round, is replaced.
    if (!directory || present.get(path) !== "directory") drop(present, path);
    if (!directory && item.type === undefined) files.push(path);
    present.set(path, directory ? "directory" : "other");
    made.set(path, item);
  }
  return [{ name: "./", type: "directory", mode: 0o755, mtimeNs: T }, ...gone, ...made.values()];
}

function drop(present: Present, path: string): void {
  for (const known of [...present.keys()]) if (known === path || known.startsWith(`${path}/`)) present.delete(known);
}

function randomItem(random: Random, name: string, files: readonly string[]): LayerItem {
  const own = attributes(random);
  switch (random(10)) {
    case 0:
    case 1:
    case 2:
      return { name, type: "directory", ...own, mode: 0o755 | (random(2) << 9) };
    case 3:
      return { name, type: "symlink", linkName: pick(random, ["a", "/b/c", "../../x", "long/".repeat(50)]), ...own };
    case 4:
      return { name, type: "fifo", ...own };
    case 5:
      return { name, type: "character", devMajor: 1 + random(300), devMinor: random(70_000), ...own };
    case 6:
      if (files.length > 0) return { name, type: "hardlink", linkName: pick(random, files), ...own, mtimeNs: T };
      return { name, content: "", ...own };
    default: {
      const content = Buffer.alloc(random(3) * 700, name);
      if (random(3) > 0) return { name, content, ...own };
      const xattrs = new Map<string, Uint8Array>([["user.a", Uint8Array.of(0, 10, 255)]]);
      if (random(2) === 0) xattrs.set("security.capability", Buffer.from(`01000002${"00040000".repeat(4)}`, "hex"));
      return { name, content, ...own, xattrs };
    }
  }
}

class Bench {
  readonly stack: LayerStack;

  constructor(stack: LayerStack) {
    this.stack = stack;
  }

  run(...command: readonly string[]): void {
    const [program = "", ...args] = command;
    execFileSync(program, args, { cwd: this.stack.directory, stdio: ["ignore", "ignore", "pipe"] });
  }

  /** An image of these layers, in the layout "layout" as "t". */
  async layout(tars: readonly Uint8Array[]): Promise<void> {
    const { scope } = this.stack;
    const store = new MemoryContentStore();
    let config = emptyImageConfig(hostPlatform());
    const layers: Descriptor[] = [];
    for (const tar of tars) {
      const packed = await packLayer(scope, { source: chunked(tar), store, compression: "gzip" });
      layers.push(packed.descriptor);
      config = withLayer(config, packed.diffId, { created_by: "test" });
    }
    const descriptor = await writeManifest(scope, store, {
      config: await writeImageConfig(scope, store, config),
      layers,
    });
    const names = [parseReference("local/x:t")];
    await exportLayout(scope, store, [{ descriptor, names }], this.stack.path("layout"));
  }

  /** Our layers as a container would see them. */
  merged(layers: readonly string[]): string[] {
    mkdirSync(this.stack.path("merged"), { recursive: true });
    mkdirSync(this.stack.path("nothing"), { recursive: true });
    const lower = [...layers, this.stack.path("nothing")].join(":");
    this.run("mount", "-t", "overlay", "-o", `ro,lowerdir=${lower}`, "none", "merged");
    try {
      return describeTree(this.stack.path("merged"), { noDirectoryTimes: true });
    } finally {
      this.run("umount", "merged");
    }
  }

  /** What umoci unpacks of "t". */
  theirs(bundle: string): string[] {
    this.run("umoci", "unpack", "--image", "layout:t", bundle);
    return describeTree(this.stack.path(`${bundle}/rootfs`), { noDirectoryTimes: true });
  }
}

for (let run = 0; run < RUNS; run++) {
  const seed = SEED + run;

  test(`umoci unpacks random layers as we do, and our layer of the result (seed ${seed})`, { skip }, async () => {
    await using stack = await LayerStack.make();
    const bench = new Bench(stack);
    const random = randomFrom(seed);
    const present: Present = new Map();
    const tars = [0, 1, 2].map(() => layerTar(randomLayer(random, present)));
    for (const tar of tars) await stack.add(tar);
    await bench.layout(tars);
    const ours = bench.merged(stack.layers);
    assert.deepEqual(ours, bench.theirs("one"));
    // The topmost layer, read from its directory and written again.
    const options = { upper: stack.top, lower: stack.layers.slice(1) };
    const again = await collectBytes(diffOverlay(stack.scope, options), 1 << 24);
    rmSync(stack.path("layout"), { recursive: true });
    await bench.layout([...tars.slice(0, 2), again]);
    assert.deepEqual(bench.theirs("two"), ours);
  });

  test(`we read the layer that umoci makes of random changes (seed ${seed})`, { skip }, async () => {
    await using stack = await LayerStack.make();
    const bench = new Bench(stack);
    const random = randomFrom(seed);
    const present: Present = new Map();
    // The tar that umoci writes has no other times.
    const first = layerTar(wholeSeconds(randomLayer(random, present)));
    await bench.layout([first]);
    bench.theirs("bundle");
    bench.run("cp", "-a", "bundle/rootfs", "before");
    // GNU tar and rm change the tree, umoci finds out what has changed.
    const changes = wholeSeconds(randomLayer(random, present));
    for (const { name } of changes) if (name.includes(".wh.")) removeHidden(stack.path("bundle/rootfs"), name);
    const added = changes.filter(({ name }) => !name.includes(".wh."));
    for (const { name, type } of added) makeWay(stack.path("bundle/rootfs"), name, type === "directory");
    await stack
      .add(layerTar(added), { target: stack.path("bundle/added"), lower: [] })
      .finally(() => stack.layers.pop());
    bench.run("cp", "-a", "bundle/added/.", "bundle/rootfs/");
    bench.run("umoci", "repack", "--image", "layout:t", "bundle");
    const wanted = describeTree(stack.path("bundle/rootfs"), { noDirectoryTimes: true });
    const store = new MemoryContentStore();
    const [image] = await importLayout(stack.scope, stack.path("layout"), store);
    const bytes = await store.readAll(stack.scope, image?.descriptor.digest as never, 1 << 20);
    const { layers } = JSON.parse(Buffer.from(bytes).toString()) as ImageManifest;
    assert.equal(layers.length, 2);
    for (const { digest } of layers)
      await stack.add(await store.readAll(stack.scope, digest as never, 1 << 24), { mediaType: MEDIA_TYPES.layerGzip });
    assert.deepEqual(bench.merged(stack.layers), wanted);
    // And our own layer of the same two trees.
    await using own = await LayerStack.make();
    await own.add(first);
    const trees = { from: stack.path("before"), to: stack.path("bundle/rootfs") };
    await own.add(await collectBytes(diffTrees(own.scope, trees), 1 << 24));
    assert.deepEqual(new Bench(own).merged(own.layers), wanted);
  });
}

function wholeSeconds(items: readonly LayerItem[]): LayerItem[] {
  return items.map((item) => ({ ...item, mtimeNs: ((item.mtimeNs ?? T) / 10n ** 9n) * 10n ** 9n }));
}

function removeHidden(root: string, whiteout: string): void {
  rmSync(join(root, whiteout.replace(/\.wh\.([^/]*)$/, "$1")), { recursive: true, force: true });
}

/** Takes away what an entry replaces: cp would rather fail, or write through it. */
function makeWay(root: string, name: string, directory: boolean): void {
  const path = join(root, name);
  if (!existsSync(path) && lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
  if (directory && lstatSync(path).isDirectory()) return;
  rmSync(path, { recursive: true });
}
