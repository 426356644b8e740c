// resume: lets a paused container go on.
// portable: no host types here.

import type { Command } from "../cli/command.ts";
import { StateDirectory } from "../container/record.ts";
import { statusOf } from "../container/status.ts";
import { verbatim } from "../failure.ts";
import { setFrozen } from "../linux/cgroup/control.ts";

/** The command. */
export const resume: Command = {
  name: "resume",
  operands: "<container-id>",
  doc: "resumes all processes that have been previously paused",
  flags: [],
  minOperands: 1,
  maxOperands: 1,
  run: ({ kernel, root }, _flags, [id = ""]) => {
    const directory = StateDirectory.open(kernel, root, id);
    const record = directory.read();
    if (statusOf(kernel, directory, record) !== "paused") throw verbatim("conflict", "container not paused");
    setFrozen(kernel, record.cgroup, false);
    return 0;
  },
};
