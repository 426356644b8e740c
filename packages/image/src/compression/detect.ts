// Which compression a stream has, by its first bytes. Layers are read by what they are, not by what they are called:
// tools in the field mislabel them, and a digest covers the bytes anyway.

import { MEDIA_TYPES } from "@teu/specs/image";
import { TeuError } from "@teu/base/errors";

/** What layers are compressed with. */
export type Compression = "none" | "gzip" | "zstd";

/** Bytes that `detectCompression` needs at most. */
export const MAGIC_BYTES = 6;

const KNOWN: readonly { name: string; magic: readonly number[] }[] = [
  { name: "gzip", magic: [0x1f, 0x8b, 0x08] },
  { name: "zstd", magic: [0x28, 0xb5, 0x2f, 0xfd] },
  { name: "bzip2", magic: [0x42, 0x5a, 0x68] },
  { name: "xz", magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { name: "lz4", magic: [0x04, 0x22, 0x4d, 0x18] },
];

/**
 * The compression of a stream that begins with `head`. A zstd stream may begin with a skippable frame.
 * @throws TeuError `unsupported` for compressions that layers never have.
 */
export function detectCompression(head: Uint8Array): Compression {
  const skippable = ((head[0] ?? 0) & 0xf0) === 0x50 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18;
  if (skippable) return "zstd";
  const found = KNOWN.find(({ magic }) => magic.every((byte, index) => head[index] === byte))?.name ?? "none";
  if (found === "none" || found === "gzip" || found === "zstd") return found;
  throw new TeuError({
    code: "unsupported",
    op: "decompress",
    message: `content is compressed with ${found}`,
    hint: "layers are plain tar, gzip or zstd",
  });
}

const LAYER_TYPES: ReadonlyMap<string, Compression> = new Map<string, Compression>([
  [MEDIA_TYPES.layer, "none"],
  [MEDIA_TYPES.layerGzip, "gzip"],
  [MEDIA_TYPES.layerZstd, "zstd"],
  [MEDIA_TYPES.layerNondistributable, "none"],
  [MEDIA_TYPES.layerNondistributableGzip, "gzip"],
  [MEDIA_TYPES.layerNondistributableZstd, "zstd"],
  [MEDIA_TYPES.dockerLayer, "none"],
  [MEDIA_TYPES.dockerLayerGzip, "gzip"],
  [MEDIA_TYPES.dockerLayerZstd, "zstd"],
  [MEDIA_TYPES.dockerForeignLayer, "none"],
  [MEDIA_TYPES.dockerForeignLayerGzip, "gzip"],
]);

/** What a layer's media type says about its compression; null when it is no layer that can be unpacked. */
export function layerCompression(mediaType: string): Compression | null {
  return LAYER_TYPES.get(mediaType) ?? null;
}

/** The media type of a layer of ours. */
export function layerMediaType(compression: Compression): string {
  return { none: MEDIA_TYPES.layer, gzip: MEDIA_TYPES.layerGzip, zstd: MEDIA_TYPES.layerZstd }[compression];
}
