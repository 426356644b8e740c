// Everything on disk that a shim needs to start a container: bundle, files to bind, shim.json. Made anew at each start.

import { existsSync, writeFileSync } from "node:fs";
import { isAbsolute } from "node:path";

import { isTeuError } from "@teu/base/errors";
import { makeDirectory } from "@teu/files/make-directory";
import { removeTreeSync } from "@teu/files/remove-tree";
import { UnionView } from "@teu/image/layer/union-view";
import { type NetworkConfig, SHIM_PROTOCOL_VERSION, type ShimConfig } from "@teu/shim/protocol";

import { requireProgram } from "../programs.ts";
import { makeWorkspace, workspaceOf } from "../snapshots/overlay-snapshots.ts";
import type { Workspace } from "../snapshots/snapshots.ts";
import type { ContainerRow } from "../store/container-rows.ts";
import { readIfThere } from "../store/file-places.ts";
import type { ContainerContext } from "./context.ts";
import { hostsFile } from "./files/hosts.ts";
import { resolvConf } from "./files/resolv-conf.ts";
import { resolveIdentity } from "./identity.ts";
import { hostDevices } from "./settings/devices.ts";
import { buildSpec, type Identity, type SpecInput } from "./spec/build-spec.ts";
import { hostFacts } from "./spec/host-facts.ts";

/** How long the runtime's container waits for the engine's word. An engine killed in between leaves it to the shim. */
const START_TIMEOUT = 30_000;
/** More than any real passwd or group file. */
const ACCOUNTS_LIMIT = 4 << 20;

/** Writes the files of one start. The caller holds the container's lock and has settled it. */
export function prepareStart(context: ContainerContext, row: ContainerRow, network: NetworkConfig): void {
  const { settings, id } = row;
  const paths = context.paths.container(id);
  const workspace = workspaceOf(context.snapshots.context, id, row.chainId);
  if (!existsSync(workspace.upper)) makeWorkspace(context.snapshots.context, workspace);
  // What tells of an earlier life, the bundle before the record: without the latter it would tell of an end that nobody saw.
  for (const path of [paths.bundle, paths.run, paths.exitFile]) removeTreeSync(path);
  makeDirectory(paths.rootfs, 0o711);
  makeDirectory(paths.run, 0o700);
  writeFileSync(paths.hostname, `${settings.hostname}\n`);
  writeFileSync(
    paths.hosts,
    hostsFile(settings, network, network.mode === "host" ? (readIfThere("/etc/hosts") ?? "") : ""),
  );
  writeFileSync(paths.resolvConf, resolvConf(settings, hostResolvConf()));
  // shim.json before config.json: who finds the latter alone knows that there was a life (see life.ts).
  writeFileSync(paths.shimConfig, JSON.stringify(shimConfig(context, row, network, workspace)));
  writeFileSync(paths.spec, JSON.stringify(buildSpec(specInput(context, row, workspace))));
}

/** What the spec of this container is made from; `exec` needs it again. */
export function specInput(context: ContainerContext, row: ContainerRow, workspace: Workspace): SpecInput {
  const { settings, id } = row;
  return {
    id,
    settings,
    facts: hostFacts(),
    identity: identityOf(workspace, settings.user, settings.groupAdd),
    paths: { ...context.paths.container(id), volume: (name) => context.paths.volume(name) },
    devices: hostDevices(settings.devices, settings.privileged),
  };
}

/** Looks `user` up in the container's files as they are now. */
function identityOf(workspace: Workspace, user: string, groupAdd: readonly string[]): Identity {
  using view = UnionView.open([workspace.upper, ...workspace.lower]);
  const text = (path: string) => {
    try {
      return Buffer.from(view.readFile(path, ACCOUNTS_LIMIT)).toString("utf8");
    } catch (error) {
      // No such file, or something else in its place: nobody is known there.
      if (isTeuError(error, "not-found") || isTeuError(error, "invalid")) return "";
      throw error;
    }
  };
  return resolveIdentity(user, groupAdd, text("/etc/passwd"), text("/etc/group"));
}

function shimConfig(
  context: ContainerContext,
  row: ContainerRow,
  network: NetworkConfig,
  workspace: Workspace,
): ShimConfig {
  const { settings, id } = row;
  const paths = context.paths.container(id);
  const runtime = requireProgram(settings.runtime, "find runtime");
  const name = isAbsolute(settings.runtime)
    ? settings.runtime.slice(settings.runtime.lastIndexOf("/") + 1)
    : settings.runtime;
  return {
    version: SHIM_PROTOCOL_VERSION,
    id,
    network,
    bundle: paths.bundle,
    runDir: paths.run,
    runRoot: context.paths.runroot,
    runtime: { path: runtime, root: context.paths.runtimeRoot(name), args: [] },
    // What a container that vanishes wrote need not survive a crash: volatile spares the syncs.
    rootfs: {
      kind: "overlay",
      lower: workspace.lower.length === 0 ? [context.paths.empty] : workspace.lower,
      upper: workspace.upper,
      work: workspace.work,
      volatile: row.autoRemove,
    },
    terminal: settings.tty,
    stdin: settings.interactive,
    stdinOnce: settings.stdinOnce,
    log:
      settings.log.driver === "none"
        ? null
        : { path: paths.log, maxSize: settings.log.maxSize, maxFiles: settings.log.maxFiles },
    exitFile: row.autoRemove || row.owner !== null ? paths.passingExitFile : paths.exitFile,
    startTimeoutMs: START_TIMEOUT,
  };
}

/** systemd-resolved's stub answers on a loopback address; its real servers are in another file. */
function hostResolvConf(): string {
  const text = readIfThere("/etc/resolv.conf") ?? "";
  return text.includes("127.0.0.53") ? (readIfThere("/run/systemd/resolve/resolv.conf") ?? text) : text;
}
