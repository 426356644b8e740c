// Bounds on what unpacking one layer may cost, against bombs (image layers come from strangers).

import { DEFAULT_DECOMPRESS_LIMITS, type DecompressLimits } from "../compression/decompress.ts";

/** Bounds on one layer. */
export interface LayerLimits extends DecompressLimits {
  /** Entries in the archive. */
  readonly entries: number;
  /** Bytes of one entry's extension headers (names, extended attributes). */
  readonly headerBytes: number;
}

/** Far beyond sane layers: 64 GiB, two million entries. */
export const DEFAULT_LAYER_LIMITS: LayerLimits = {
  ...DEFAULT_DECOMPRESS_LIMITS,
  entries: 2_000_000,
  headerBytes: 1 << 20,
};
