// process.oomScoreAdj onto a process (proc_pid_oom_score_adj(5)).
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_FDCWD } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";

/** Sets it; `pid` is a number or "self". Throws `denied`, as runc and crun fail: a lower score than one's own is a privilege. */
export function setOomScore(kernel: Kernel, pid: number | "self", score: number): void {
  try {
    kernel.fs.writeTextAt(AT_FDCWD, `/proc/${pid}/oom_score_adj`, String(score));
  } catch (error) {
    const lowered = isSysError(error, "EACCES") || isSysError(error, "EPERM");
    throw new TeuError({
      code: "denied",
      op: "set oom_score_adj",
      subject: String(score),
      message: lowered ? "lowering it needs CAP_SYS_RESOURCE" : "refused",
      cause: error,
    });
  }
}
