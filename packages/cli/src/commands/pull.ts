// pull: download an image.

import type { PulledImage } from "@teu/engine/images/images";
import { choosePlatform, formatPlatform, parsePlatform } from "@teu/image/platform";
import { familiarText, parseReference } from "@teu/image/reference";
import type { Command, CommandContext } from "../command.ts";
import { jsonOption, wantsJson } from "../options/json-format.ts";
import { platformsOption, platformsOrAll } from "../options/platforms.ts";
import { POLICY_OPTION, policyOf } from "../options/signature-policy.ts";
import { transferProgress } from "../output/transfer-progress.ts";
import { ACCESS_OPTIONS, accessOf } from "../transports/copy-options.ts";

/** `teu pull`. */
export const command: Command = {
  usage: "pull [OPTIONS] NAME[:TAG|@DIGEST]",
  summary: "Download an image from a registry",
  options: [
    ...ACCESS_OPTIONS,
    { long: "all-platforms", help: "All platforms of the image, whole, so that it can be pushed as it is" },
    jsonOption("say what was pulled"),
    platformsOption("Platform of the image"),
    { long: "quiet", short: "q", help: "Show only its name" },
    POLICY_OPTION,
  ],
  unsupported: ["all-tags", "disable-content-trust"],
  bulk: true,
  args: [1, 1],
  examples: [
    "teu pull localhost:5000/hello",
    "teu pull --platform linux/arm64 debian:12",
    "teu pull --all-platforms debian:12",
  ],
  run: async (context, input) => {
    const platforms = platformsOrAll(input);
    const json = wantsJson(input);
    const quiet = input.flag("quiet") || json;
    await using engine = await context.engine(policyOf(input));
    const image = await (async () => {
      using progress = transferProgress(context.io.stdout, { quiet, dumb: context.environment.term === "dumb" });
      return await engine.images.pull(context.scope, input.args[0] ?? "", {
        progress: (event) => progress.event(event),
        ...accessOf(input),
        ...(platforms.length === 0 ? {} : { platform: platforms }),
      });
    })();
    for (const platform of platforms === "all" ? [] : platforms) warnOfOther(context, image, platform);
    if (json) {
      const { id, names, repoDigests, platform, size } = image;
      const { digest, mediaType } = image.target;
      context.print(JSON.stringify({ id, names, repoDigests, digest, mediaType, platform, size }));
      return 0;
    }
    if (!quiet) context.print(`Digest: ${image.target.digest}`);
    context.print(familiarText(parseReference(image.pulled)));
    return 0;
  },
};

// A name that stands for one image is pulled whatever that is for, as Docker does; but not without a word.
function warnOfOther(context: CommandContext, { platform, pulled, manifest, target }: PulledImage, text: string): void {
  if (manifest.digest !== target.digest) return;
  const wanted = parsePlatform(text);
  if (choosePlatform([{ ...manifest, platform }], wanted) !== null) return;
  context.warn(
    `teu: warning: image with reference ${familiarText(parseReference(pulled))} was found but its platform (${formatPlatform(platform)}) does not match the specified platform (${formatPlatform(wanted)})`,
  );
}
