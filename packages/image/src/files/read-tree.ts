// Reads the layers of an image into a merged tree, each in one pass, verified.

import type { Scope } from "@teu/base/scope";

import { placeOf } from "../layer/entry-place.ts";
import { DEFAULT_LAYER_LIMITS } from "../layer/limits.ts";
import type { TarEntry } from "../tar/entry.ts";
import { TarReader } from "../tar/reader.ts";
import type { ImageValue } from "../values/image-value.ts";
import { layerTar, type LayerValue } from "../values/layer-value.ts";
import { type FileFacts, MergedTree, type TreeNode } from "./merged-tree.ts";

/** Takes the content of one file while it is read. */
export interface ContentTaker {
  /** The chunk is valid during the call only. Holes are not told. */
  data(chunk: Uint8Array, offset: number): void;
  /** What becomes the file's `content`. */
  end(): unknown;
}

/** Something that a layer does. */
export interface LayerChange {
  readonly kind: "file" | "deleted" | "opaque";
  /** "/usr/bin/sh". */
  readonly path: string;
  readonly entry: TarEntry;
}

/** What is done with what is read, besides the tree. */
export interface ReadTreeOptions {
  /** Asked for each regular file. */
  readonly content?: (facts: FileFacts) => ContentTaker;
  /** Told each change of each layer, from the bottom up. */
  readonly change?: (layer: number, change: LayerChange) => void;
}

/** The image's file system. @throws TeuError `corrupt`, `exhausted`, `unsupported` for artifacts. */
export async function readTree(scope: Scope, image: ImageValue, options: ReadTreeOptions = {}): Promise<MergedTree> {
  // Artifacts have no layers in this sense.
  await image.config(scope);
  const tree = new MergedTree();
  for (const [index, layer] of (await image.layers(scope)).entries())
    await readLayer(scope, tree, layer, index, options);
  return tree;
}

async function readLayer(
  scope: Scope,
  tree: MergedTree,
  layer: LayerValue,
  index: number,
  { content, change }: ReadTreeOptions,
): Promise<void> {
  let file: { readonly facts: FileFacts; readonly taker: ContentTaker } | null = null;
  const reader = new TarReader(
    {
      entry: (entry) => {
        const facts = tree.entry(entry);
        file = facts === null || content === undefined ? null : { facts, taker: content(facts) };
        if (change !== undefined) tell(entry, (what) => change(index, what));
      },
      data: (chunk, offset) => file?.taker.data(chunk, offset),
      endEntry: () => {
        if (file !== null) file.facts.content = file.taker.end();
        file = null;
      },
    },
    DEFAULT_LAYER_LIMITS,
  );
  tree.begin();
  for await (const chunk of layerTar(scope, layer, { reuse: true })) {
    scope.check("read layer");
    reader.write(chunk);
  }
  reader.end();
  tree.end();
}

function tell(entry: TarEntry, change: (what: LayerChange) => void): void {
  const place = placeOf(entry.name);
  const below = (parent: string, name: string): string => (parent === "" ? `/${name}` : `/${parent}/${name}`);
  if (place.kind === "entry") change({ kind: "file", path: below(place.parent, place.name), entry });
  else if (place.kind === "whiteout") change({ kind: "deleted", path: below(place.parent, place.name), entry });
  else if (place.kind === "opaque") change({ kind: "opaque", path: `/${place.parent}`, entry });
}

/** A name of a tree, and where it is. */
export interface TreeFile {
  /** "/usr/bin/sh"; the root is not among them. */
  readonly path: string;
  readonly node: TreeNode;
}

/** Every name of a tree, directories before what is in them, sorted by name in each; a list and no recursion: a stranger chose the depth. */
export function* treeFiles(tree: MergedTree): Generator<TreeFile> {
  const left: TreeFile[] = below("", tree.root);
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    yield next;
    if (next.node.children.size > 0) for (const child of below(next.path, next.node)) left.push(child);
  }
}

/** Last first. */
function below(path: string, node: TreeNode): TreeFile[] {
  return [...node.children]
    .toSorted(([a], [b]) => (a < b ? 1 : -1))
    .map(([name, child]) => ({ path: `${path}/${name}`, node: child }));
}
