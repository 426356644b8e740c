// Builds tiny Dockerfiles on an engine of their own and looks at the files and the config that come out, without running the image.

import { mkdirSync, mkdtempSync, readSync, rmSync, symlinkSync, writeFileSync, chmodSync } from "node:fs";
import { dirname, join } from "node:path";

import { buildImage } from "@teu/builder/build";
import type { BuildOptions, BuildResult } from "@teu/builder/build-options";
import { resolvePath, type TreeEntry } from "@teu/builder/context/file-tree";
import { LayerTree } from "@teu/builder/context/layer-tree";
import type { BuildEvent } from "@teu/builder/progress/build-event";
import { EngineHost } from "./engine-harness.ts";

/** A file of a context: content, or a symlink, or content with a mode. */
export type ContextFile =
  | string
  | Uint8Array
  | { readonly link: string }
  | { readonly content: string; readonly mode: number };

/** What came out of a build. */
export interface Built {
  readonly result: BuildResult;
  readonly events: readonly BuildEvent[];
  /** Steps that came from the cache. */
  readonly cached: number;
  /** A file's text, symlinks followed; null when it is not there. */
  read(path: string): string | null;
  /** The entry itself; null when it is not there. */
  entry(path: string): TreeEntry | null;
  readLink(path: string): string;
  names(path: string): string[];
  /** Names in the topmost layer's own root, to see what a step left behind. */
  readonly topLayer: string;
}

/** An engine with the image "base" (busybox, users root and app). */
export class BuilderHost implements AsyncDisposable {
  readonly host: EngineHost;
  readonly #trees: LayerTree[] = [];

  private constructor(host: EngineHost) {
    this.host = host;
  }

  static async open(): Promise<BuilderHost> {
    await using opened = new AsyncDisposableStack();
    const host = opened.use(await EngineHost.open());
    await host.busybox("base", { Labels: { from: "base" } });
    opened.move();
    return new BuilderHost(host);
  }

  /** Writes a context directory; gone with the host. */
  context(files: Readonly<Record<string, ContextFile>>): string {
    const directory = mkdtempSync(join(this.host.directory, "context-"));
    for (const [name, file] of Object.entries(files)) {
      const path = join(directory, name);
      mkdirSync(dirname(path), { recursive: true });
      if (typeof file === "string" || file instanceof Uint8Array) writeFileSync(path, file);
      else if ("link" in file) symlinkSync(file.link, path);
      else {
        writeFileSync(path, file.content);
        chmodSync(path, file.mode);
      }
    }
    return directory;
  }

  /** Builds `text` with a context of `files` (or in `options.context`). Network none unless said. */
  async build(
    text: string,
    files: Readonly<Record<string, ContextFile>> = {},
    options: Partial<BuildOptions> = {},
  ): Promise<Built> {
    const context = options.context === undefined ? this.context(files) : options.context;
    const events: BuildEvent[] = [];
    const result = await buildImage(this.host.scope, this.host.engine, {
      network: "none",
      ...options,
      context,
      dockerfile: options.dockerfile ?? {
        name: "Dockerfile",
        text,
        ...(context === null ? {} : { path: join(context, "Dockerfile") }),
      },
      progress: (event) => events.push(event),
    });
    const image = await this.host.engine.images.get(this.host.scope, result.imageId);
    const chain = image.chainId === null ? [] : await this.host.engine.snapshots.chain(this.host.scope, image.chainId);
    const tree = LayerTree.open(chain.map((layer) => layer.directory));
    this.#trees.push(tree);
    return {
      result,
      events,
      cached: events.filter((event) => event.kind === "ended" && event.outcome === "cached").length,
      read: (path) => readText(tree, path),
      entry: (path) => tree.entry(path),
      readLink: (path) => tree.readLink(path),
      names: (path) => tree.names(path),
      topLayer: chain[0]?.directory ?? "",
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const tree of this.#trees) tree[Symbol.dispose]();
    await this.host[Symbol.asyncDispose]();
  }

  /** Removes a file of a context. */
  static remove(path: string): void {
    rmSync(path, { recursive: true });
  }
}

function readText(tree: LayerTree, path: string): string | null {
  const { path: resolved, entry } = resolvePath(tree, path);
  if (entry?.kind !== "file") return null;
  using file = tree.open(resolved);
  const buffer = Buffer.alloc(entry.size);
  let length = 0;
  for (let count = -1; length < buffer.length && count !== 0; length += count)
    count = readSync(file.fd, buffer, length, buffer.length - length, length);
  return buffer.toString("utf8", 0, length);
}
