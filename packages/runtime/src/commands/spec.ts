// spec: writes a config.json to begin with.
// portable: no host types here.

import { AT_FDCWD, O_CLOEXEC, O_CREAT, O_EXCL, O_WRONLY } from "@teu/sys/constants/fs";
import { isSysError } from "@teu/sys/sys-error";
import { defaultSpec } from "@teu/specs/runtime-default";
import type { Command } from "../cli/command.ts";
import { absolutePath } from "../cli/environment.ts";
import { verbatim } from "../failure.ts";

/** The command. */
export const spec: Command = {
  name: "spec",
  operands: "",
  doc: "create a new specification file",
  minOperands: 0,
  maxOperands: 0,
  flags: [
    { name: "bundle", aliases: ["b"], kind: "string", doc: "path to the root of the bundle directory" },
    {
      name: "file",
      aliases: ["f", "config"],
      kind: "string",
      doc: "write this file instead of the bundle's config.json",
    },
    { name: "rootless", kind: "boolean", doc: "generate a configuration for a rootless container" },
  ],
  run: ({ kernel }, flags) => {
    const { fs, process } = kernel;
    const options = flags.boolean("rootless") ? { rootless: { uid: process.geteuid(), gid: process.getegid() } } : {};
    const file = flags.string("file");
    const path =
      file === "" ? `${absolutePath(kernel, flags.string("bundle"))}/config.json` : absolutePath(kernel, file);
    try {
      const fd = fs.openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666);
      fs.write(fd, `${JSON.stringify(defaultSpec(options), null, "\t")}\n`);
      fs.close(fd);
      return 0;
    } catch (error) {
      if (!isSysError(error, "EEXIST")) throw error;
      throw verbatim("already-exists", `file ${file === "" ? "config.json" : file} exists. Remove it first`);
    }
  },
};
