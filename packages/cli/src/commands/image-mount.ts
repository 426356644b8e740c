// image mount: an image of this host as a read-only file system at a path.

import type { MountedImage } from "@teu/engine/images/images";
import type { Command } from "../command.ts";
import { wantsJson } from "../options/json-format.ts";
import { listLines } from "../output/list-output.ts";

/** `teu image mount`. */
export const command: Command = {
  usage: "mount [OPTIONS] [IMAGE [PATH]]",
  summary: "Mount an image of this host read-only; without one, list mounts",
  description:
    "Without PATH it is mounted in a place of teu's, which is printed; an image that is there already is not mounted again. A PATH that does not exist is made, and goes with the mount. Programs in it keep no set-user-id, devices mean nothing.",
  options: [{ long: "format", value: "string", help: '"table", "table TEMPLATE", "json" or a Go template' }],
  args: [0, 2],
  examples: ["teu image mount hello", "teu image mount hello /mnt/hello", "teu image unmount hello"],
  run: async (context, input) => {
    const [image, path] = input.args;
    await using engine = await context.engine();
    if (image === undefined) {
      const rows = (await engine.images.mounts(context.scope)).map(rowOf);
      const table = [
        ["ID", "MOUNT ID"],
        ["Image", "IMAGE"],
        ["ImageID", "IMAGE ID"],
        ["Path", "PATH"],
      ] as const;
      for (const line of listLines({ rows, table, quietField: "ID" }, { format: input.text("format"), quiet: false }))
        context.print(line);
      return 0;
    }
    const json = wantsJson(input);
    const mount = await engine.images.mount(context.scope, image, path);
    context.print(json ? JSON.stringify(rowOf(mount)) : mount.path);
    return 0;
  },
};

function rowOf({ id, image, name, path }: MountedImage): Record<string, string> {
  return { ID: id, Image: name, ImageID: image.slice(7, 19), Path: path };
}
