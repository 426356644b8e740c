// Runs a command on a kernel in memory, backed by the files of a real one, and prints the transcript. Nothing is changed on the host.
// portable: no host types here.

import { AT_FDCWD } from "@teu/sys/constants/fs";
import { createFakeKernel } from "@teu/sys/fake/fake-kernel";
import type { Kernel } from "@teu/sys/kernel";
import { transcribe } from "@teu/sys/transcript/transcript";
import { parseOwnCgroups } from "../linux/cgroup/layout.ts";
import { COMMANDS } from "./commands.ts";
import { runProgram } from "./program.ts";

/** Explains this process's own command line; returns the exit code. */
export function explainProgram(real: Kernel): number {
  const args = real.process.args().filter((word) => word !== "--explain" && word !== "-explain");
  const cgroups = parseOwnCgroups(real.fs.readTextAt(AT_FDCWD, "/proc/self/cgroup", 1 << 20)).map(
    ([controllers]) => controllers,
  );
  const fake = createFakeKernel({
    backing: real,
    cgroups,
    args,
    env: real.process.environ(),
    cwd: real.process.getcwd(),
  });
  const kernel = transcribe(fake.kernel, (line) => real.host.print(line));
  const code = runProgram(kernel, args, COMMANDS);
  for (const line of fake.out) real.host.print(line);
  for (const line of fake.err) real.host.printError(line);
  return code;
}
