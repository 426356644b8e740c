// create: makes a container whose process waits for `start` (runtime-spec, "Create").
// portable: no host types here.

import type { Command } from "../cli/command.ts";
import { startContainer } from "../linux/start.ts";
import { START_FLAGS, startRequest } from "./start-flags.ts";

/** The command. */
export const create: Command = {
  name: "create",
  operands: "<container-id>",
  doc: "create a container",
  flags: [
    ...START_FLAGS,
    // crun takes it here as well; create never becomes a subreaper.
    { name: "no-subreaper", kind: "boolean", doc: "accepted, has no effect", hidden: true },
  ],
  minOperands: 1,
  maxOperands: 1,
  run: (context, flags, [id = ""]) => {
    startContainer(context.kernel, startRequest(context, flags, id, true, true));
    return 0;
  },
};
