// What the verbs that change images share: open a place, make another image of what is there, and write it, to the same place or
// elsewhere. Nothing is written before the whole image is made.

import { hostPlatform } from "@teu/image/platform";
import type { Platform } from "@teu/specs/image";
import { copyImage } from "@teu/image/transport/copy-image";
import type { ImageSource } from "@teu/image/transport/source-and-sink";
import { emptyImage, type ImageTransform, type ImageValue } from "@teu/image/values/image-value";
import { IndexValue } from "@teu/image/values/index-value";
import { openScratch, type Scratch } from "@teu/image/values/scratch";
import { openValue, valueSource, valueSourceFrom } from "@teu/image/values/value-source";
import type { MakeLayerOptions } from "@teu/image/values/make-layer";
import { setTimestamp } from "@teu/image/transforms/timestamps";
import type { CommandContext, CommandInput, OptionSpec } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { copyProgress } from "../output/copy-progress.ts";
import { packProgress } from "../output/pack-progress.ts";
import { wantsJson } from "../options/json-format.ts";
import { ACCESS_OPTIONS, accessOf, wantedPlatform } from "../transports/copy-options.ts";
import { Places } from "../transports/open-place.ts";
import { TRANSPORTS, type TransportName } from "../transports/transport-name.ts";
import { parseDestination, parseImagePlace, parseInPlace } from "./image-place.ts";
import { watchedSource } from "./watched-source.ts";

/** Flags of all verbs that change images. */
export const CHANGE_OPTIONS: readonly OptionSpec[] = [
  ...ACCESS_OPTIONS,
  { long: "all", short: "a", help: "All platforms of the image; default: this host's alone" },
  { long: "format", value: "string", help: '"json": say what was written as JSON' },
  { long: "platform", value: "string", help: 'Platform of the image ("linux/arm64")' },
  { long: "quiet", short: "q", help: "Show only the digest" },
  { long: "timestamp", value: "seconds", help: "Nothing is later than this, since 1970; default: SOURCE_DATE_EPOCH" },
  { long: "to", short: "t", value: "image", help: "Where the result goes; default: the place it came from" },
];

/** How places are written, for help texts. */
export const PLACES_HELP: string = [
  `Images are on this host, or in a place that begins with ${TRANSPORTS.join(", ")}.`,
  "What is not changed keeps its bytes and digests; the same change of the same image gives the same digest.",
].join("\n");

/** What a change has at hand. */
export interface Workshop extends Scratch {
  /** From --timestamp or SOURCE_DATE_EPOCH, seconds since 1970. */
  readonly timestamp: number | undefined;
  /** The same for layers, in nanoseconds. */
  readonly latestNs: { readonly latestNs?: bigint };
  /** Shows on a terminal how a layer is packed. */
  readonly packing: (name: string) => Pick<MakeLayerOptions, "packed">;
  /** Opens a further image for a platform; it is open until the command ends. */
  open(name: TransportName, platform: Platform): Promise<ImageValue>;
}

/** What is to become of an image, and of an index whose images became so. */
export interface ImageChange {
  readonly image: ImageTransform;
  readonly index?: (index: IndexValue) => IndexValue;
}

/** Changes SRC, the command's first argument. Returns the exit code. */
export async function changeImage(
  context: CommandContext,
  input: CommandInput,
  plan: (work: Workshop, value: ImageValue | IndexValue) => Promise<ImageChange>,
): Promise<number> {
  const { scope, environment } = context;
  const [from = ""] = input.args;
  const platform = wantedPlatform(input);
  const json = wantsJson(input);
  const given = input.text("to");
  const to = given === undefined ? placeOfSource(from) : parseDestination(given);
  const timestamp = timestampOf(context, input);
  await using places = new Places(context);
  await using scratch = await openScratch(scope, environment.temporary);
  const access = accessOf(input);
  using packing = packProgress(context, input.flag("quiet"));
  const opened = from === SCRATCH ? null : await places.source(parseImagePlace(from), access);
  const source = opened === null ? null : watchedSource(opened, null, packing.event);
  const value =
    source === null
      ? emptyImage(platform === "all" ? hostPlatform() : platform)
      : await open(context, source, platform);
  const work: Workshop = {
    ...scratch,
    timestamp,
    latestNs: timestamp === undefined ? {} : { latestNs: BigInt(timestamp) * 1_000_000_000n },
    packing: (name) => ({
      packed: (current, isAll) =>
        packing.event({ kind: "pack", id: name, current, ...(isAll ? { total: current } : {}) }),
    }),
    open: async (name, wanted) => openValue(scope, await places.source(name, access), wanted),
  };
  const change = await plan(work, value);
  const changed = changedValue(value, change, timestamp);
  const made = source === null ? valueSource(changed) : valueSourceFrom(changed, source);
  // First, so that an image that cannot be made leaves no empty layout behind.
  await made.resolve(scope);
  packing[Symbol.dispose]();
  const sink = await places.sink(to, access);
  const result = await (async () => {
    using progress = copyProgress(context, input.flag("quiet"));
    return await copyImage(scope, { source: made, sink, platform: "all", progress: progress.copied });
  })();
  const { digest, mediaType, size } = result.descriptor;
  if (json) {
    const { blobs, bytes } = result;
    const where = { source: made.name, destination: sink.name };
    context.print(JSON.stringify({ ...where, digest, mediaType, size, blobs, bytes }));
  } else context.print(input.flag("quiet") ? digest : `Digest: ${digest}`);
  return 0;
}

/** The name of the image that has nothing in it. */
const SCRATCH = "scratch";
function placeOfSource(from: string): TransportName {
  if (from !== SCRATCH) return parseInPlace(from);
  throw usageError('"scratch" is no place to write to', { fallback: "say where it goes: --to NAME:TAG" });
}

async function open(
  { scope }: CommandContext,
  source: ImageSource,
  platform: Platform | "all",
): Promise<ImageValue | IndexValue> {
  return platform === "all" ? openValue(scope, source) : openValue(scope, source, platform);
}

function changedValue(
  value: ImageValue | IndexValue,
  { image, index = (one) => one }: ImageChange,
  timestamp: number | undefined,
): ImageValue | IndexValue {
  const whole: ImageTransform =
    timestamp === undefined ? image : (before) => before.apply(image, setTimestamp(timestamp));
  return value instanceof IndexValue ? index(value.mapImages(whole)) : whole(value);
}

/** --timestamp, or the variable that other tools have too. @throws TeuError `invalid` (usage). */
export function timestampOf({ environment }: CommandContext, input: CommandInput): number | undefined {
  const text = input.text("timestamp") ?? environment.sourceDateEpoch;
  if (text === undefined) return undefined;
  if (/^[0-9]{1,12}$/.test(text)) return Number(text);
  throw usageError(`${JSON.stringify(text)} is no time`, { fallback: "give whole seconds since 1970" });
}
