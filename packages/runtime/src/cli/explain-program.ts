// What --explain does: the command on a kernel in memory, backed by the files of a real one, with the transcript; nothing is changed on
// the host. With --timings the command on the real kernel, with what each step took.
// portable: no host types here.

import { AT_FDCWD } from "@teu/sys/constants/fs";
import { createFakeKernel } from "@teu/sys/fake/fake-kernel";
import type { Kernel } from "@teu/sys/kernel";
import { Stopwatch, timingTable } from "@teu/sys/transcript/timings";
import { transcribe } from "@teu/sys/transcript/transcript";
import { parseOwnCgroups } from "../linux/cgroup/layout.ts";
import { COMMANDS } from "./commands.ts";
import { GLOBAL_FLAGS, runProgram } from "./program.ts";
import { parseFlags } from "./flags.ts";

/** Explains this process's own command line; returns the exit code. */
export function explainProgram(real: Kernel): number {
  const given = real.process.args();
  const { values, operands } = parseFlags(GLOBAL_FLAGS, given);
  const isOwn = (word: string): boolean => /^--?(explain|timings)(=.*)?$/.test(word);
  const global = given.slice(0, given.length - operands.length);
  const args = [...global.filter((word) => !isOwn(word)), ...operands];
  return values.boolean("timings") ? measure(real, args) : explain(real, args);
}

function explain(real: Kernel, args: readonly string[]): number {
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

/** On stderr: stdout may be the container's. */
function measure(real: Kernel, args: readonly string[]): number {
  const watch = new Stopwatch(real);
  const code = runProgram(watch.kernel, args, COMMANDS);
  real.host.printError(timingTable(watch.finish()));
  return code;
}
