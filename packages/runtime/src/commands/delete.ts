// delete: removes what is left of a container (runtime-spec, "Delete") and runs poststop hooks, which can only warn.
// A created container is killed first, as containerd expects; a running one only with --force.
// portable: no host types here.

import { errorText, isTeuError } from "@teu/base/errors";
import type { Kernel } from "@teu/sys/kernel";
import type { Command, Context } from "../cli/command.ts";
import type { Log } from "../cli/log.ts";
import { type ContainerRecord, StateDirectory } from "../container/record.ts";
import { specState, statusOf } from "../container/status.ts";
import { verbatim } from "../failure.ts";
import { signalAll } from "../linux/container-processes.ts";
import { removeCgroup } from "../linux/cgroup/manager.ts";
import { runHooks } from "../linux/hooks.ts";
import { removeResctrl } from "../linux/resctrl.ts";
import { killContainer } from "../linux/kill-container.ts";
import { REGEX, forEachNamed } from "./matching.ts";

/** The command. */
export const deleteCommand: Command = {
  name: "delete",
  operands: "<container-id>",
  doc: "delete any resources held by the container often used with detached container",
  flags: [
    {
      name: "force",
      aliases: ["f"],
      kind: "boolean",
      doc: "forcibly deletes the container if it is still running (uses SIGKILL)",
    },
    REGEX,
  ],
  minOperands: 1,
  maxOperands: 1,
  run: (context, flags, [operand = ""]) => {
    const force = flags.boolean("force");
    forEachNamed(context.kernel, context.root, flags, operand, (id) => deleteOne(context, id, force));
    return 0;
  },
};

function deleteOne({ kernel, root, log }: Context, id: string, force: boolean): void {
  try {
    const directory = StateDirectory.open(kernel, root, id);
    const record = force ? directory.tryRead() : directory.read();
    if (record !== null) end(kernel, directory, record, force);
    removeContainer(kernel, directory, record, log);
  } catch (error) {
    if (!force || !isTeuError(error, "not-found")) throw error;
  }
}

function end(kernel: Kernel, directory: StateDirectory, record: ContainerRecord, force: boolean): void {
  const status = statusOf(kernel, directory, record);
  if (status === "stopped") return;
  if (!force && status !== "created")
    throw verbatim("conflict", `cannot delete container ${record.id} that is not stopped: ${status}`);
  killContainer(kernel, record);
}

/** Ends what may still be in the cgroup, removes cgroup and state, runs poststop. `record` null: a create died before it wrote one. */
export function removeContainer(
  kernel: Kernel,
  directory: StateDirectory,
  record: ContainerRecord | null,
  log: Log,
): void {
  if (record !== null) {
    if (!record.ownPidNamespace) signalAll(kernel, record, 9);
    removeCgroup(kernel, record.cgroup);
    if (record.resctrl !== undefined) removeResctrl(kernel, record.resctrl);
    // Only one of two deletes at once may run the hooks.
    if ((record.hooks.poststop ?? []).length > 0) directory.claimEnd();
  }
  directory.remove();
  if (record === null) return;
  // Each hook runs, whatever became of the one before (runtime-spec: log a warning and go on).
  for (const hook of record.hooks.poststop ?? []) {
    try {
      runHooks(kernel, "poststop", [hook], specState(record, "stopped", 0));
    } catch (error) {
      log.warn(errorText(error));
    }
  }
}
