// For tests: a fake kernel with a bundle on it, and the command line to call.
// portable: no host types here.

import { O_CREAT, O_TRUNC, O_WRONLY } from "@teu/sys/constants/fs";
import { defaultSpec } from "@teu/specs/runtime-default";
import type { Spec } from "@teu/specs/runtime";
import { type FakeKernel, type FakeOptions, createFakeKernel } from "@teu/sys/fake/fake-kernel";
import type { Kernel } from "@teu/sys/kernel";
import { COMMANDS } from "../cli/commands.ts";
import { runProgram } from "../cli/program.ts";

/** What a command did. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A host with /bundle (config.json, a small rootfs) and --root /run/teu. */
export interface FakeHost extends FakeKernel {
  /** Runs `teu-runtime --root /run/teu ...words`, on `kernel` when given. */
  run(words: readonly string[], kernel?: Kernel): Outcome;
  /** Replaces /bundle/config.json. */
  configure(change: (spec: Spec) => Spec): void;
  status(id: string): string;
  /** Replaces a file of a cgroup; `path` is below /sys/fs/cgroup, its directory must be there. */
  writeFileInCgroup(path: string, text: string): void;
}

/** The plain spec without a terminal, running a program that goes on. */
export function plainSpec(): Spec {
  const spec = defaultSpec();
  return { ...spec, hostname: "box", process: { ...spec.process, cwd: "/", terminal: false, args: ["/bin/daemon"] } };
}

/** Makes one. */
export function fakeHost(options: FakeOptions = {}): FakeHost {
  const programs = new Map<string, number | undefined>([
    ["/bin/daemon", undefined],
    ["/bin/false", 1],
    ["/bin/seven", 7],
    ...(options.programs ?? []),
  ]);
  const fake = createFakeKernel({ cwd: "/", ...options, programs });
  for (const path of ["/bundle/rootfs/proc", "/bundle/rootfs/sys", "/bundle/rootfs/dev", "/run"])
    fake.makeDirectory(path);
  for (const name of ["daemon", "true", "false", "seven"]) fake.writeFile(`/bundle/rootfs/bin/${name}`, "", 0o755);
  for (const name of ["hook", "failing-hook"]) fake.writeFile(`/usr/bin/${name}`, "", 0o755);
  const configure = (change: (spec: Spec) => Spec): void =>
    fake.writeFile("/bundle/config.json", JSON.stringify(change(plainSpec())));
  configure((spec) => spec);
  const run = (words: readonly string[], kernel: Kernel = fake.kernel): Outcome => {
    const before = { out: fake.out.length, err: fake.err.length };
    // Each command is a process of its own, whose fds and locks end with it.
    const { pid } = fake.kernel.process.clone3({ flags: 0 });
    const parent = fake.kernel.simulation?.enter(pid) ?? 0;
    const code = runProgram(kernel, ["--root", "/run/teu", ...words], COMMANDS);
    fake.kernel.simulation?.enter(parent);
    fake.world.end(fake.world.process(pid, "exit"), code, 0);
    return { code, out: fake.out.slice(before.out).join("\n"), err: fake.err.slice(before.err).join("\n") };
  };
  const status = (id: string): string => (JSON.parse(run(["state", id]).out) as { status: string }).status;
  const writeFileInCgroup = (path: string, text: string): void => {
    const { fs } = fake.kernel;
    const fd = fs.openat(-100, `/sys/fs/cgroup/${path}`, O_WRONLY | O_CREAT | O_TRUNC, 0o644);
    fs.write(fd, text);
    fs.close(fd);
  };
  return { ...fake, run, configure, status, writeFileInCgroup };
}
