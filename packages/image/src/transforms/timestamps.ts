// Times of an image brought back to one moment: SOURCE_DATE_EPOCH, as BuildKit has it (rewrite-timestamp).

import { TeuError } from "@teu/base/errors";
import type { HistoryEntry, ImageConfig } from "@teu/specs/image";

import { configOf, type ImageTransform } from "../values/image-value.ts";

/** An image made at `seconds` since 1970: so it says, and no step of its history is later. Layers stay as they are. */
export function setTimestamp(seconds: number): ImageTransform {
  const created = timestampText(seconds);
  return (image) =>
    image.with((parts) => ({ ...parts, config: withTimes(configOf(image.name, parts), created, seconds * 1000) }));
}

/** Seconds since 1970 as RFC 3339, as configs have it. @throws TeuError `invalid` for what is no moment. */
export function timestampText(seconds: number): string {
  const moment = new Date(seconds * 1000);
  if (Number.isInteger(seconds) && seconds >= 0 && !Number.isNaN(moment.getTime()))
    return moment.toISOString().replace(".000Z", "Z");
  throw new TeuError({
    code: "invalid",
    op: "read time",
    subject: String(seconds),
    message: "want whole seconds since 1970",
  });
}

function withTimes(config: ImageConfig, created: string, latest: number): ImageConfig {
  const clamp = (entry: HistoryEntry): HistoryEntry =>
    entry.created !== undefined && Date.parse(entry.created) > latest ? { ...entry, created } : entry;
  const { history } = config;
  return { ...config, created, ...(history === undefined ? {} : { history: history.map(clamp) }) };
}
