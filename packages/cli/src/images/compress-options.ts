// Flags that say how layers are compressed.

import type { Compression } from "@teu/image/compression/detect";
import type { CommandInput, OptionSpec } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";

/** For verbs that recompress. */
export const COMPRESS_OPTIONS: readonly OptionSpec[] = [
  { long: "compress", value: "string", help: 'Compression of layers: "gzip", "zstd" or "none"' },
  { long: "compress-level", value: "number", help: "How hard to try: gzip 1 to 9, zstd 1 to 19" },
  { long: "force-compress", help: "Also layers that are compressed so already" },
];

/** For verbs that make layers. */
export const NEW_LAYER_OPTIONS: readonly OptionSpec[] = COMPRESS_OPTIONS.slice(0, 2);

/** --compress. @throws TeuError `invalid` (usage). */
export function compressionOf(input: CommandInput): Compression | undefined {
  const text = input.text("compress");
  if (text === undefined || text === "gzip" || text === "zstd" || text === "none") return text;
  throw usageError(`the compression ${JSON.stringify(text)} is not known`, {
    word: text,
    known: ["gzip", "zstd", "none"],
    fallback: "use gzip, zstd or none",
  });
}

/** --compress-level. @throws TeuError `invalid` (usage). */
export function levelOf(input: CommandInput): { readonly level?: number } {
  const text = input.text("compress-level");
  if (text === undefined) return {};
  const most = input.text("compress") === "zstd" ? 19 : 9;
  const level = /^[0-9]{1,2}$/.test(text) ? Number(text) : 0;
  if (level >= 1 && level <= most) return { level };
  throw usageError(`the level ${JSON.stringify(text)} does not exist`, { fallback: `use 1 to ${most}` });
}
