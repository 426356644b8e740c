// image diff: what is different between two images, wherever they are: files and settings.

import { formatSize } from "@teu/base/bytes";
import { diffImages, type FileDifference } from "@teu/image/files/diff-images";
import { hostPlatform, parsePlatform } from "@teu/image/platform";
import type { ImageValue } from "@teu/image/values/image-value";
import { openValue } from "@teu/image/values/value-source";
import type { Command } from "../command.ts";
import { parseImagePlace } from "../images/image-place.ts";
import { visibleText } from "../output/visible-text.ts";
import { wantsJson } from "../options/json-format.ts";
import { ACCESS_OPTIONS, accessOf } from "../transports/copy-options.ts";
import { Places } from "../transports/open-place.ts";
import type { TransportName } from "../transports/transport-name.ts";

/** `teu image diff`. */
export const command: Command = {
  usage: "diff [OPTIONS] IMAGE IMAGE",
  summary: "Show what is different between two images",
  description:
    "Files that were added (A), changed (C) and deleted (D) from the first image to the second one, and settings. Nothing is mounted or unpacked. Images are on this host, or in a place as `teu copy` names it.",
  options: [
    ...ACCESS_OPTIONS,
    { long: "exit-code", help: "Exit with 1 when there is a difference" },
    { long: "format", value: "string", help: '"json": one object with all differences' },
    { long: "platform", value: "string", help: 'Platform of the images ("linux/arm64")' },
    { long: "times", help: "Also files of which only the time is different" },
  ],
  args: [2, 2],
  examples: ["teu image diff hello:1 hello:2", "teu image diff docker://localhost:5000/app:v1 app"],
  run: async (context, input) => {
    const json = wantsJson(input);
    const platform = input.text("platform");
    const wanted = platform === undefined ? hostPlatform() : parsePlatform(platform);
    const [before = "", after = ""] = input.args;
    const names = { before: parseImagePlace(before), after: parseImagePlace(after) };
    await using places = new Places(context);
    const open = async (name: TransportName): Promise<ImageValue> =>
      openValue(context.scope, await places.source(name, accessOf(input)), wanted);
    const [old, now] = [await open(names.before), await open(names.after)];
    const found = await diffImages(context.scope, old, now, { times: input.flag("times") });
    if (json) context.print(JSON.stringify({ before, after, ...found }));
    else {
      for (const file of found.files) context.print(line(file));
      for (const { name, before: was, after: is } of found.config)
        context.print(`S ${visibleText(name)}  ${valueText(was)} -> ${valueText(is)}`);
    }
    const different = found.files.length + found.config.length > 0;
    return different && input.flag("exit-code") ? 1 : 0;
  },
};

function line({ kind, path, type, before, after, what }: FileDifference): string {
  const shown = visibleText(type === "directory" ? `${path}/` : path);
  if (kind === "changed") {
    const sizes = before === after ? "" : `${formatSize(before)} -> ${formatSize(after)}, `;
    return `C ${shown}  ${sizes}${what.join(", ")}`;
  }
  const size = type === "file" ? `  ${formatSize(kind === "added" ? after : before)}` : "";
  return `${kind === "added" ? "A" : "D"} ${shown}${size}`;
}

function valueText(value: unknown): string {
  return value === undefined ? "nothing" : visibleText(JSON.stringify(value));
}
