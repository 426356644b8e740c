// mounts: adds mounts to a running container or removes them (crun's command). FILE is a JSON list in the form of config.json's mounts.
// portable: no host types here.

import { parseJson } from "@teu/specs/json";
import type { Mount } from "@teu/specs/runtime";
import { parseSpec } from "@teu/specs/runtime-parse";
import type { Command } from "../cli/command.ts";
import { absolutePath } from "../cli/environment.ts";
import { readGivenFile } from "../cli/given-file.ts";
import { StateDirectory } from "../container/record.ts";
import { statusOf } from "../container/status.ts";
import { verbatim } from "../failure.ts";
import { addMounts, removeMounts } from "../linux/hot-mounts.ts";
import { planMounts } from "../linux/mount-plan.ts";
import { cleanPath } from "../linux/rootfs-path.ts";

const LIMIT = 1 << 20;

/** The command. */
export const mounts: Command = {
  name: "mounts",
  operands: "add|remove <container-id> <file>",
  doc: "add mounts to a running container, or remove them",
  flags: [],
  minOperands: 3,
  maxOperands: 3,
  run: ({ kernel, root }, _flags, [action = "", id = "", file = ""]) => {
    if (action !== "add" && action !== "remove")
      throw verbatim("invalid", `unknown action ${JSON.stringify(action)}: want add or remove`);
    const directory = StateDirectory.open(kernel, root, id);
    const record = directory.read();
    const status = statusOf(kernel, directory, record);
    if (status === "stopped" || status === "creating") throw verbatim("conflict", "container not running");
    const list = parseMounts(readGivenFile(kernel, absolutePath(kernel, file), LIMIT));
    if (action === "remove")
      removeMounts(
        kernel,
        record,
        list.map(({ destination }) => cleanPath(destination)),
      );
    else {
      const spec = parseSpec(directory.readConfig());
      addMounts(kernel, record, planMounts({ ...spec, mounts: list }, record.bundle));
    }
    return 0;
  },
};

/** Throws `invalid`. */
function parseMounts(text: string): readonly Mount[] {
  const list = parseJson(text, { document: "mounts", maxLength: LIMIT });
  if (!Array.isArray(list)) throw verbatim("invalid", "mounts: want a JSON list of mounts");
  // Validated as what it is a part of.
  return parseSpec(JSON.stringify({ ociVersion: "1.0.2", mounts: list })).mounts ?? [];
}
