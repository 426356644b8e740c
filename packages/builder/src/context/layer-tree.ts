// Overlay-format directories (topmost first) as one tree, without mounting them: whiteouts hide, opaque directories end the search.
// Used for COPY --from, for names in an image's passwd, and to find where a COPY goes.

import { DT_DIR, readDir, readlinkAt } from "@teu/files/entries";
import { openDirectory, type OwnedFd } from "@teu/files/open";
import { lookupAt } from "@teu/files/stat";
import { getXattr } from "@teu/files/xattrs";
import { type FileTree, joinPath, type TreeEntry } from "./file-tree.ts";
import { contentXattrs, entryFromStat, openBeneath, sortNames } from "./stat-entry.ts";

const DT_CHR = 2;
const YES = "y".charCodeAt(0);

/** An entry and the layer it is seen in. */
export interface LayerEntry {
  readonly entry: TreeEntry;
  /** Index into the directories given to `open`. */
  readonly layer: number;
}

/** Stacked layers as a tree. */
export class LayerTree implements FileTree {
  readonly #layers: readonly OwnedFd[];
  readonly #live: boolean;
  readonly #directories = new Map<string, readonly number[]>();

  private constructor(layers: readonly OwnedFd[], live: boolean) {
    this.#layers = layers;
    this.#live = live;
  }

  /** `live`: the topmost directory changes while this is in use. */
  static open(directories: readonly string[], options: { readonly live?: boolean } = {}): LayerTree {
    using opened = new DisposableStack();
    const layers = directories.map((directory) => opened.use(openDirectory(directory)));
    opened.move();
    return new LayerTree(layers, options.live ?? false);
  }

  entry(path: string): TreeEntry | null {
    return this.find(path)?.entry ?? null;
  }

  /** As `entry`, and where it is. */
  find(path: string): LayerEntry | null {
    if (path === "") return this.#layers.length === 0 ? null : this.#stat(0, ".");
    const slash = path.lastIndexOf("/");
    for (const layer of this.#layersOf(slash < 0 ? "" : path.slice(0, slash))) {
      const found = this.#stat(layer, path);
      if (found !== null) return isWhiteout(found.entry) ? null : found;
    }
    return null;
  }

  names(path: string): string[] {
    const seen = new Set<string>();
    const out: string[] = [];
    for (const layer of this.#layersOf(path)) {
      using directory = openBeneath(this.#fd(layer), path === "" ? "." : path);
      for (const { name, type } of readDir(directory.fd)) {
        if (seen.has(name)) continue;
        seen.add(name);
        const hidden = type !== DT_DIR && (type === DT_CHR || type === 0) && this.find(joinPath(path, name)) === null;
        if (!hidden) out.push(name);
      }
    }
    return sortNames(out);
  }

  readLink(path: string): string {
    return readlinkAt(this.#fdOf(path), path);
  }

  xattrs(path: string): readonly (readonly [string, Uint8Array])[] {
    return path === "" ? [] : contentXattrs(this.#fdOf(path), path);
  }

  open(path: string): OwnedFd {
    return openBeneath(this.#fdOf(path), path);
  }

  [Symbol.dispose](): void {
    for (const layer of this.#layers) layer[Symbol.dispose]();
  }

  /** Layers in which a directory is seen, topmost first; empty when it is none. */
  #layersOf(path: string): readonly number[] {
    if (path === "") return [...this.#layers.keys()];
    const known = this.#live ? undefined : this.#directories.get(path);
    if (known !== undefined) return known;
    const slash = path.lastIndexOf("/");
    const out: number[] = [];
    for (const layer of this.#layersOf(slash < 0 ? "" : path.slice(0, slash))) {
      const found = this.#stat(layer, path);
      if (found === null) continue;
      if (found.entry.kind !== "directory") break;
      out.push(layer);
      if (getXattr(this.#fd(layer), path, "trusted.overlay.opaque")?.[0] === YES) break;
    }
    if (!this.#live) this.#directories.set(path, out);
    return out;
  }

  #stat(layer: number, path: string): LayerEntry | null {
    const stat = lookupAt(this.#fd(layer), path);
    return stat === null ? null : { entry: entryFromStat(stat), layer };
  }

  #fdOf(path: string): number {
    return this.#fd(this.find(path)?.layer ?? 0);
  }

  #fd(layer: number): number {
    return this.#layers[layer]?.fd ?? -1;
  }
}

/** overlayfs: a character device 0:0 says that nothing is here. */
function isWhiteout(entry: TreeEntry): boolean {
  return entry.kind === "char" && entry.major === 0 && entry.minor === 0;
}
