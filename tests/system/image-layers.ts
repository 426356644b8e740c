// Layers made in code, and places to unpack them: for the tests of apply and diff.

import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createScope, type Scope } from "@teu/base/scope";
import { removeTree } from "@teu/files/remove-tree";
import { applyLayer, type AppliedLayer, type ApplyLayerOptions } from "@teu/image/layer/apply";
import type { TarEntry, TarType } from "@teu/image/tar/entry";
import { encodeTarHeader, TAR_END, tarEntry, tarPadding } from "@teu/image/tar/writer";
import { MEDIA_TYPES } from "@teu/specs/image";

/** An entry with its content. */
export interface LayerItem extends Partial<Omit<TarEntry, "name" | "type" | "size">> {
  readonly name: string;
  /** Default: a directory when the name ends with "/", a file otherwise. */
  readonly type?: TarType;
  readonly content?: string | Uint8Array;
}

/** The tar of some entries. */
export function layerTar(items: readonly LayerItem[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const { content, ...item } of items) {
    const bytes = Buffer.from(content ?? "");
    const type = item.type ?? (item.name.endsWith("/") ? "directory" : "file");
    parts.push(encodeTarHeader(tarEntry({ ...item, type, size: bytes.length })), bytes, tarPadding(bytes.length));
  }
  return Buffer.concat([...parts, TAR_END]);
}

/** Bytes as a source of chunks. */
export async function* chunked(bytes: Uint8Array, size: number = 1 << 16): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** A temporary directory in which each unpacked layer becomes the top of a stack. */
export class LayerStack implements AsyncDisposable {
  readonly scope: Scope = createScope();
  readonly directory: string;
  /** Unpacked layers, topmost first. */
  readonly layers: string[] = [];

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async make(): Promise<LayerStack> {
    return new LayerStack(await mkdtemp(join(tmpdir(), "teu-layers-")));
  }

  /** The directory of the topmost layer. */
  get top(): string {
    return this.layers[0] ?? "";
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** Unpacks a layer on top. */
  async add(items: readonly LayerItem[] | Uint8Array, more: Partial<ApplyLayerOptions> = {}): Promise<AppliedLayer> {
    const bytes = items instanceof Uint8Array ? items : layerTar(items);
    const target = this.path(`layer-${this.layers.length}`);
    const applied = await applyLayer(this.scope, {
      source: chunked(bytes),
      mediaType: MEDIA_TYPES.layer,
      target,
      lower: [...this.layers],
      ...more,
    });
    this.layers.unshift(target);
    return applied;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return removeTree(this.scope, this.directory);
  }
}
