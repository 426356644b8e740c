// Turns a layer's tar into a blob of the content store: digest of the tar, compression, digest of the blob, in one pass.

import type { Scope } from "@teu/base/scope";
import type { Descriptor } from "@teu/specs/image";

import { compress, type CompressOptions } from "../compression/compress.ts";
import { layerMediaType } from "../compression/detect.ts";
import type { ContentStore } from "../content-store.ts";
import { createPoolDigester, type Digest } from "../digest.ts";

/** What to pack, how, and where to. */
export interface PackLayerOptions extends CompressOptions {
  /** The tar, as `diffOverlay` gives it. */
  readonly source: AsyncIterable<Uint8Array>;
  readonly store: ContentStore;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A layer in the store. */
export interface PackedLayer {
  readonly descriptor: Descriptor;
  /** Digest of the uncompressed tar, for the image's config. */
  readonly diffId: Digest;
  /** Bytes of the uncompressed tar. */
  readonly uncompressedSize: number;
}

let count = 0;

/** Packs a layer. On failure the store holds nothing of it. */
export async function packLayer(scope: Scope, options: PackLayerOptions): Promise<PackedLayer> {
  const tar = createPoolDigester();
  async function* hashed(): AsyncIterable<Uint8Array> {
    for await (const chunk of options.source) {
      // In the thread pool, while it is compressed there as well.
      const hashed = tar.update(chunk);
      try {
        yield chunk;
      } finally {
        await hashed;
      }
    }
  }
  await using ingest = await options.store.ingest(scope, `pack-${process.pid}-${++count}`);
  for await (const chunk of compress(scope, hashed(), options)) await ingest.write(chunk);
  const { digest, size } = await ingest.commit();
  const mediaType = layerMediaType(options.compression);
  const { annotations } = options;
  return {
    descriptor: { mediaType, digest, size, ...(annotations === undefined ? {} : { annotations }) },
    diffId: tar.digest(),
    uncompressedSize: tar.size,
  };
}
