// --explain: hands over to the program "teu-explain", which is in the same executable under another name: what it needs (the kernel
// in memory) would make every ordinary start slower.
// portable: no host types here.

import { AT_FDCWD } from "@teu/sys/constants/fs";
import { isSysError } from "@teu/sys/sys-error";
import type { Kernel } from "@teu/sys/kernel";
import { verbatim } from "../failure.ts";

/** Becomes teu-explain with the same arguments. Throws `unsupported` when the executable does not carry it. */
export function explain(kernel: Kernel): never {
  const { process } = kernel;
  try {
    return process.execveat(AT_FDCWD, "/proc/self/exe", ["teu-explain", ...process.args()], process.environ(), 0);
  } catch (error) {
    if (!isSysError(error)) throw error;
    throw verbatim("unsupported", "--explain needs the complete executable", error);
  }
}
