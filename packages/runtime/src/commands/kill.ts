// kill: sends one signal to a container's init process (runtime-spec, "Kill").
// Decides from recorded state only. Asking politely first and harder later is the engine's business.
// portable: no host types here.

import { SIGKILL } from "@teu/sys/constants/process";
import { signalNumber } from "@teu/sys/constants/signals";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { Command } from "../cli/command.ts";
import { type ContainerRecord, StateDirectory } from "../container/record.ts";
import { verbatim } from "../failure.ts";
import { thawIfFrozen } from "../linux/cgroup/control.ts";
import { signalAll } from "../linux/container-processes.ts";
import { openInit } from "../linux/kill-container.ts";
import { REGEX, forEachNamed } from "./matching.ts";

/** The command. */
export const kill: Command = {
  name: "kill",
  operands: "<container-id> [signal]",
  doc: "kill sends the specified signal (default: SIGTERM) to the container's init process",
  flags: [
    {
      name: "all",
      aliases: ["a"],
      kind: "boolean",
      doc: "send the specified signal to all processes inside the container",
    },
    REGEX,
  ],
  minOperands: 1,
  maxOperands: 2,
  run: ({ kernel, root }, flags, [operand = "", text = "TERM"]) => {
    const signal = signalNumber(text);
    if (signal === null) throw verbatim("invalid", `unknown signal ${JSON.stringify(text)}`);
    forEachNamed(kernel, root, flags, operand, (id) => {
      signalContainer(kernel, StateDirectory.open(kernel, root, id).read(), signal, flags.boolean("all"));
    });
    return 0;
  },
};

/** Sends it. With `all` every process gets it, and a stopped container is no error (containerd kills all after init's exit). */
export function signalContainer(kernel: Kernel, record: ContainerRecord, signal: number, all: boolean): void {
  // A pidfd, not the pid: init may exit, and its number be reused, between this check and the signal.
  const init = openInit(kernel, record);
  if (all || (signal === SIGKILL && !record.ownPidNamespace)) {
    if (init !== null) kernel.fs.close(init);
    if (init === null && !all) throw verbatim("conflict", "container not running");
    signalAll(kernel, record, signal);
    return;
  }
  if (init === null) throw verbatim("conflict", "container not running");
  try {
    kernel.process.pidfdSendSignal(init, signal);
    if (signal === SIGKILL) thawIfFrozen(kernel, record.cgroup);
  } catch (error) {
    if (isSysError(error, "ESRCH")) throw verbatim("conflict", "container not running");
    throw error;
  } finally {
    kernel.fs.close(init);
  }
}
