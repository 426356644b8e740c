// What a process inherits about signals from whoever calls the runtime: a service manager that ignores SIGPIPE, nohup, a parent that
// ignores SIGCHLD. The program starts with every signal at its default and none blocked, as crun has it; and the runtime itself must
// not ignore SIGCHLD, or it would never hear of an end. Nearly nobody has anything to reset, so it is told from what is read anyway:
// the child's line in /proc, which is inherited like the rest.
// portable: no host types here.

import type { Kernel } from "@teu/sys/kernel";
import type { ChildChannel } from "./twin.ts";

const NOTE = "signals";

/** Resets the runtime's own when its child, whose `stat` it is, has inherited something; the note that tells the child to do likewise. */
export function resetInherited(kernel: Kernel, stat: ReturnType<Kernel["process"]["processStat"]>): string {
  if (stat?.deaf !== true) return "";
  reset(kernel);
  return NOTE;
}

/** In the child, after the parent's answer. */
export function resetIfTold(kernel: Kernel, { note }: ChildChannel): void {
  if (note === NOTE) reset(kernel);
}

function reset({ process }: Kernel): void {
  process.resetSignals();
  process.setSignalMask([]);
}
