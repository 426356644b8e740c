// What must be true of an engine's root at every moment, and what must be gone from it after a prune.

import { createHash } from "node:crypto";
import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

import type { Scope } from "@teu/base/scope";
import { Engine } from "@teu/engine/engine";
import { walkDescriptors } from "@teu/image/documents";
import { parseDigest } from "@teu/image/digest";
import { MEDIA_TYPES } from "@teu/specs/image";

import { describeTree } from "../image-tree.ts";

/** Where an engine keeps its things. */
export interface Places {
  readonly root: string;
  readonly runroot: string;
}

/** Trees of unpacked layers by chain id, as an engine made them that nobody disturbed. */
export type KnownLayers = ReadonlyMap<string, readonly string[]>;

/** The layers of an engine. */
export async function layersOf(scope: Scope, engine: Engine): Promise<Map<string, readonly string[]>> {
  const layers = await engine.snapshots.list(scope);
  // overlayfs' marks for what is deleted have no time of their own.
  const timeless = (line: string): string => line.replace(/ 20000 (.*) t=\d+ dev=0,0$/, " 20000 $1");
  return new Map(layers.map(({ chainId, directory }) => [chainId, describeTree(directory).map(timeless)]));
}

/** What is visible and not whole, one line each. */
export async function brokenThings(scope: Scope, places: Places, known: KnownLayers): Promise<string[]> {
  const problems = brokenBlobs(join(places.root, "content/blobs"));
  await using engine = await Engine.open(scope, places);
  for (const [chainId, tree] of await layersOf(scope, engine)) {
    const wanted = known.get(chainId);
    if (wanted === undefined) problems.push(`layer ${chainId}: nobody made it`);
    else {
      const other = tree.filter((line) => !wanted.includes(line));
      const missing = wanted.filter((line) => !tree.includes(line));
      if (other.length + missing.length > 0)
        problems.push(`layer ${chainId}: has ${other.join()}, has not ${missing.join()}`);
    }
  }
  for (const image of await engine.images.list(scope)) {
    const whose = image.names[0] ?? image.id;
    try {
      await walkDescriptors(scope, engine.content, image.manifest);
      if (image.chainId !== null) await engine.snapshots.chain(scope, image.chainId);
      // An index may be here for one platform only, but it must be here itself.
      const { mediaType, digest } = image.target;
      if (mediaType === MEDIA_TYPES.index) await walkDescriptors(scope, engine.content, image.target, { sparse: true });
      if ((await engine.content.info(scope, parseDigest(digest))) === null) problems.push(`${whose}: no target`);
    } catch (error) {
      problems.push(`image ${whose}: ${String(error)}`);
    }
  }
  for (const { id } of await engine.containers.list(scope, { all: true })) {
    if (!existsSync(join(places.root, "containers", id))) problems.push(`container ${id}: it has no directory`);
  }
  return problems;
}

/** Blobs of a store or layout that are not what their name says. */
export function brokenBlobs(blobs: string): string[] {
  if (!existsSync(blobs)) return [];
  return readdirSync(blobs).flatMap((algorithm) =>
    readdirSync(join(blobs, algorithm)).flatMap((name) => {
      const found = createHash(algorithm)
        .update(readFileSync(join(blobs, algorithm, name)))
        .digest("hex");
      return found === name ? [] : [`blob ${name}: its content is ${found}`];
    }),
  );
}

/** What killed commands have left in a root that was pruned while nothing else ran. */
export function leftovers({ root, runroot }: Places): string[] {
  const empty = ["tmp", "content/ingest", "uploads"].map((name) => join(root, name));
  const found = [...empty, join(runroot, "containers")].flatMap((directory) =>
    existsSync(directory) ? readdirSync(directory).map((name) => relative(root, join(directory, name))) : [],
  );
  // Containers keep theirs.
  const locks = readdirSync(join(runroot, "locks")).filter((id) => !existsSync(join(root, "containers", id)));
  const hidden = existsSync(root) ? hiddenFiles(root).map((path) => relative(root, path)) : [];
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return [...found, ...locks.map((id) => `lock ${id}`), ...hidden, ...mounts.filter((line) => line.includes(root))];
}

/** Files that begin with a dot: temporary ones of what is replaced whole. Layers and workspaces have what images have. */
function hiddenFiles(directory: string): string[] {
  return readdirSync(directory).flatMap((name) => {
    const path = join(directory, name);
    if (name.startsWith(".")) return [path];
    return name !== "snapshots" && lstatSync(path).isDirectory() ? hiddenFiles(path) : [];
  });
}
