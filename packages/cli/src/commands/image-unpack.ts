// image unpack: the files of an image as a plain directory.

import { TeuError } from "@teu/base/errors";
import { formatSize } from "@teu/base/bytes";
import { unpackImage } from "@teu/image/files/unpack-image";
import { hostPlatform, parsePlatform } from "@teu/image/platform";
import { openEnd, openPath } from "@teu/image/transport/open-image";
import { openValue } from "@teu/image/values/value-source";
import type { Command } from "../command.ts";
import { parseImagePlace } from "../images/image-place.ts";
import { watchedSource } from "../images/watched-source.ts";
import { POLICY_OPTION, policyOf } from "../options/signature-policy.ts";
import { transferProgress } from "../output/transfer-progress.ts";
import { wantsJson } from "../options/json-format.ts";
import { ACCESS_OPTIONS, accessOf } from "../transports/copy-options.ts";
import { copyGate } from "../transports/copy-policy.ts";
import { Places } from "../transports/open-place.ts";

/** `teu image unpack`. */
export const command: Command = {
  usage: "unpack [OPTIONS] IMAGE DIR",
  summary: "Write the files of an image into an empty directory",
  description: [
    "DIR is made when it is missing, and refused when something is in it. All layers are verified before the first file appears.",
    "Images are on this host, or in a place as `teu copy` names it. Owners and devices need root; with --rootless every file is yours,",
    "and what only root can give is kept in extended attributes, as umoci keeps it (user.rootlesscontainers).",
  ].join("\n"),
  options: [
    ...ACCESS_OPTIONS,
    { long: "format", value: "string", help: '"json": say what was written as JSON' },
    { long: "platform", value: "string", help: 'Platform of the image ("linux/arm64")' },
    { long: "quiet", short: "q", help: "Show no progress" },
    { long: "rootless", help: "Without root: every file is yours" },
    POLICY_OPTION,
  ],
  bulk: true,
  args: [2, 2],
  examples: [
    "teu image unpack hello rootfs",
    "teu image unpack --rootless docker://localhost:5000/app:v1 rootfs",
    "teu image unpack --platform linux/arm64 oci:layout:v1 rootfs",
  ],
  run: async (context, input) => {
    const { scope, environment, io } = context;
    const json = wantsJson(input);
    const rootless = input.flag("rootless");
    const platform = input.text("platform");
    const wanted = platform === undefined ? hostPlatform() : parsePlatform(platform);
    const [text = "", target = ""] = input.args;
    const name = parseImagePlace(text);
    if (!rootless && process.geteuid?.() !== 0)
      throw new TeuError({
        code: "denied",
        op: "unpack image",
        subject: target,
        message: "giving files to their owners needs root",
        hint: "--rootless makes every file yours",
      });
    await using places = new Places(context);
    const access = accessOf(input);
    const source = await places.source(name, access);
    const approve = await copyGate(context, policyOf(input), places, name, access, source);
    const path = await openPath(scope, source, wanted);
    await approve?.(
      scope,
      path.map(({ document }) => document),
    );
    const { digest } = openEnd(path).document.descriptor;
    const { entries, bytes } = await (async () => {
      using progress = transferProgress(io.stderr, {
        quiet: input.flag("quiet") || !io.stderr.isTTY,
        dumb: environment.term === "dumb",
      });
      // What was approved, whatever the name stands for by now.
      const watched = watchedSource(source, openEnd(path).document.descriptor, (event) => progress.event(event));
      const { temporary } = environment;
      return await unpackImage(scope, await openValue(scope, watched, wanted), { target, temporary, rootless });
    })();
    if (json) context.print(JSON.stringify({ source: source.name, digest, directory: target, entries, bytes }));
    else context.print(`Unpacked ${digest} into ${target}: ${entries} entries, ${formatSize(bytes)}`);
    return 0;
  },
};
