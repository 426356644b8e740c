// pause: freezes all processes of a container.
// portable: no host types here.

import type { Command } from "../cli/command.ts";
import { StateDirectory } from "../container/record.ts";
import { statusOf } from "../container/status.ts";
import { verbatim } from "../failure.ts";
import { setFrozen } from "../linux/cgroup/control.ts";

/** The command. */
export const pause: Command = {
  name: "pause",
  operands: "<container-id>",
  doc: "pause suspends all processes inside the container",
  flags: [],
  minOperands: 1,
  maxOperands: 1,
  run: ({ kernel, root }, _flags, [id = ""]) => {
    const directory = StateDirectory.open(kernel, root, id);
    const record = directory.read();
    const status = statusOf(kernel, directory, record);
    if (status !== "running" && status !== "created")
      throw verbatim("conflict", `container not running or created: ${status}`);
    setFrozen(kernel, record.cgroup, true);
    return 0;
  },
};
