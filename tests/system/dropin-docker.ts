// A dockerd of a test's own, in a sandbox, with the runtime under test as its default.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  busyboxArchive,
  type Outcome,
  RUNTIME,
  type RunOptions,
  type Sandbox,
  startContainerd,
  until,
} from "./dropin-harness.ts";

/** The client. */
export const DOCKER = "/usr/bin/docker";
const DOCKERD = "/usr/sbin/dockerd";
/** What it takes. */
export const DOCKER_PROGRAMS: readonly string[] = [DOCKER, DOCKERD, "/usr/bin/containerd", "/usr/bin/ctr"];

/** Starts dockerd with a containerd of its own, and loads an image. The runtime is the default one, so that image builds run with it. */
export function startDocker(sandbox: Sandbox, image: string, flags: readonly string[] = []): void {
  const { directory, cgroup } = sandbox;
  const containerd = startContainerd(sandbox);
  writeFileSync(join(directory, "daemon.json"), JSON.stringify({ runtimes: { teu: { path: RUNTIME } } }));
  sandbox.start(
    DOCKERD,
    [
      ...["--config-file", join(directory, "daemon.json"), "--containerd", containerd],
      ...["--host", dockerAddress(sandbox), "--pidfile", join(directory, "docker.pid")],
      ...["--data-root", join(directory, "data"), "--exec-root", join(directory, "exec")],
      ...["--iptables=false", "--ip6tables=false", "--bridge=none", "--cgroup-parent", `/${cgroup}`],
      ...["--default-runtime", "teu", ...flags],
    ],
    join(directory, "dockerd.log"),
  );
  until("dockerd answers", () => callDocker(sandbox, ["version"]).code === 0);
  const { code, all } = callDocker(sandbox, ["load", "--input", busyboxArchive(directory, image)]);
  if (code !== 0) throw new Error(all);
}

/** Of dockerd's socket. */
export function dockerAddress({ directory }: Sandbox): string {
  return `unix://${directory}/docker.sock`;
}

/** Runs the client. */
export function callDocker(sandbox: Sandbox, args: readonly string[], options: RunOptions = {}): Outcome {
  return sandbox.run(DOCKER, ["--host", dockerAddress(sandbox), ...args], options);
}
