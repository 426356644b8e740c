// Tidying up after a shim that was killed: everything it made has a name that follows from its config, so that a later process
// can take it back. The mounts went with the dead shim's namespace, the reserved ports with its descriptors.
// portable: no host types here.

import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_RDWR } from "@teu/sys/constants/fs";
import { SIGKILL } from "@teu/sys/constants/process";
import type { Kernel } from "@teu/sys/kernel";
import type { Task } from "../loop/task.ts";
import { UndoStack } from "../loop/undo-stack.ts";
import { removeBridgeNetwork } from "../network/bridge-network.ts";
import type { ProgramHost } from "../process/run-program.ts";
import { timestamp } from "../process/timestamp.ts";
import { SHIM_PROTOCOL_VERSION } from "../protocol.ts";
import type { ShimConfig, ShimState } from "../protocol.ts";
import { RuntimeClient } from "../runtime/runtime-client.ts";
import { removeEmptyCgroupParent } from "./cgroup-parent.ts";
import type { ContainerOptions } from "./container.ts";
import { removeFile, writeJsonFile } from "./durable-file.ts";
import { readExitFile, writeExitFile } from "./exit-file.ts";
import { removeLeftoverCgroups } from "./leftover-cgroups.ts";

/** Does it, under the caller's shim.lock; returns what could not be done. To be called as often as one likes. */
export function* cleanUp(options: ContainerOptions): Task<string[]> {
  const { kernel, config } = options;
  const host: ProgramHost = { ...options, nullFd: kernel.fs.openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0) };
  const runtime = new RuntimeClient({ ...host, config });
  const startedAt = recordedStart(kernel, config);
  const undo = new UndoStack();
  undo.pushNow("write the exit record", () => recordDeath(kernel, config, startedAt));
  undo.pushNow("remove the run files", () => removeRunFiles(kernel, config));
  undo.push("remove the empty cgroup", () => removeEmptyCgroupParent(kernel, options.loop));
  undo.push("remove cgroups", () => removeLeftoverCgroups(kernel, options.loop, config.bundle, config.id));
  undo.push("delete the container", () => runtime.delete(true));
  const { network } = config;
  if (network.mode === "bridge") {
    undo.push("remove the network", () =>
      removeBridgeNetwork({ ...host, id: config.id, runRoot: config.runRoot }, network),
    );
  }
  return yield* undo.run();
}

function recordDeath(kernel: Kernel, config: ShimConfig, startedAt: string | null): void {
  let exit = readExitFile(kernel, config);
  if (exit === null) {
    exit = {
      code: 128 + SIGKILL,
      signal: SIGKILL,
      oomKilled: false,
      startedAt,
      finishedAt: timestamp(kernel.host.realtimeNs()),
      error: "the container's monitor died, and the container was killed when this was noticed",
    };
    writeExitFile(kernel, config, exit);
  }
  const state: ShimState = {
    version: SHIM_PROTOCOL_VERSION,
    id: config.id,
    status: "stopped",
    shimPid: 0,
    pid: 0,
    startedAt,
    exit,
  };
  writeJsonFile(kernel, `${config.runDir}/state.json`, state, false);
}

function recordedStart(kernel: Kernel, config: ShimConfig): string | null {
  const path = `${config.runDir}/state.json`;
  if (!kernel.fs.accessAt(AT_FDCWD, path, 0)) return null;
  const { startedAt } = JSON.parse(kernel.fs.readTextAt(AT_FDCWD, path, 65_536)) as { startedAt?: unknown };
  return typeof startedAt === "string" ? startedAt : null;
}

// Sockets and files of calls that the dead shim had under way.
function removeRunFiles(kernel: Kernel, config: ShimConfig): void {
  const directory = kernel.fs.openat(AT_FDCWD, config.runDir, O_DIRECTORY | O_CLOEXEC, 0);
  try {
    for (const { name } of kernel.fs.readDir(directory)) {
      // With what was to be renamed and was not any more: ".init.pid" (runc), "state.json.HEX.tmp" (ours).
      if (/^(\.?init\.pid|\.?(exec|runtime)-\d+\.[\w.]+|state\.json\.\w+\.tmp|(shim|console)\.sock)$/.test(name))
        removeFile(kernel, `${config.runDir}/${name}`);
    }
  } finally {
    kernel.fs.close(directory);
  }
}
