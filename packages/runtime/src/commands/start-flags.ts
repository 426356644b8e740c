// What create and run share: their flags, reading the bundle, and turning both into a start request.
// portable: no host types here.

import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { Spec } from "@teu/specs/runtime";
import { parseSpec } from "@teu/specs/runtime-parse";
import type { Context } from "../cli/command.ts";
import { absolutePath, valueIn } from "../cli/environment.ts";
import { readGivenFile } from "../cli/given-file.ts";
import type { Flag, FlagValues } from "../cli/flags.ts";
import { verbatim } from "../failure.ts";
import { withNotifySocket } from "../linux/notify-socket.ts";
import type { StartRequest } from "../linux/start.ts";
import { PIDFD_SOCKET, PRESERVE_FDS, preservedFds } from "./preserve-fds.ts";

const CONFIG_LIMIT = 16 << 20;

/** Flags of both. */
export const START_FLAGS: readonly Flag[] = [
  {
    name: "bundle",
    aliases: ["b"],
    kind: "string",
    doc: "path to the root of the bundle directory, defaults to the current directory",
  },
  {
    name: "console-socket",
    kind: "string",
    doc: "path to an AF_UNIX socket which will receive the master end of the console's pseudoterminal",
  },
  { name: "pid-file", kind: "string", doc: "specify the file to write the process id to" },
  { name: "config", aliases: ["f"], kind: "string", doc: "read this file instead of the bundle's config.json" },
  { name: "no-pivot", kind: "boolean", doc: "do not use pivot root to jail process inside rootfs (for an initramfs)" },
  { name: "no-new-keyring", kind: "boolean", doc: "do not create a new session keyring for the container" },
  PRESERVE_FDS,
  PIDFD_SOCKET,
];

/** Reads config.json of the bundle that the flags name. Throws `not-found` with runc's text. */
export function readBundle(kernel: Kernel, flags: FlagValues): { bundle: string; spec: Spec; configText: string } {
  const bundle = absolutePath(kernel, flags.string("bundle"));
  const config = flags.string("config");
  let configText: string;
  try {
    configText = readGivenFile(
      kernel,
      config === "" ? `${bundle}/config.json` : absolutePath(kernel, config),
      CONFIG_LIMIT,
    );
  } catch (error) {
    if (!isSysError(error, "ENOENT")) throw error;
    throw verbatim("not-found", `JSON specification file ${config === "" ? "config.json" : config} not found`);
  }
  return { bundle, configText, spec: parseSpec(configText, kernel.host.isStrictJson) };
}

/** Refuses a terminal that nobody would take, and a socket that would get none. Throws `invalid` with runc's texts. */
export function checkConsole(terminal: boolean, detached: boolean, consoleSocket: string): void {
  if (terminal && detached && consoleSocket === "")
    throw verbatim("invalid", "cannot allocate tty if runc will detach without setting console socket");
  if (consoleSocket !== "" && (!terminal || !detached))
    throw verbatim("invalid", "cannot use console socket if runc will not detach or allocate tty");
}

/** The request that the flags make. `detached`: nobody of this process stays with the container's terminal. */
export function startRequest(
  context: Context,
  flags: FlagValues,
  id: string,
  wait: boolean,
  detached: boolean,
): StartRequest {
  const { kernel, cgroupManager } = context;
  const { bundle, spec, configText } = readBundle(kernel, flags);
  const terminal = spec.process?.terminal ?? false;
  const consoleSocket = flags.string("console-socket");
  checkConsole(terminal, detached, consoleSocket);
  const environment = kernel.process.environ();
  const listen = listenFds(kernel, environment);
  const notify = valueIn(environment, "NOTIFY_SOCKET") !== "";
  const passed = listen === 0 ? spec : withListenFds(environment, listen, spec);
  return {
    id,
    bundle,
    wait,
    consoleSocket,
    configText,
    cgroupManager,
    root: context.root,
    rootless: context.rootless,
    consoleFd: -1,
    notify,
    spec: notify ? withNotifySocket(passed, `${context.root}/${id}`) : passed,
    pidFile: flags.string("pid-file") === "" ? "" : absolutePath(kernel, flags.string("pid-file")),
    preserveFds: preservedFds(flags) + listen,
    newKeyring: !flags.boolean("no-new-keyring"),
    warn: (message) => context.log.warn(message),
    pidfdSocket: flags.string(PIDFD_SOCKET.name),
    noPivot: flags.boolean("no-pivot"),
  };
}

/** Socket activation: how many fds from 3 up were passed to us (and not to some ancestor) for the container. */
function listenFds(kernel: Kernel, environment: readonly string[]): number {
  if (valueIn(environment, "LISTEN_PID") !== String(kernel.process.getpid())) return 0;
  const text = valueIn(environment, "LISTEN_FDS");
  return /^\d{1,4}$/.test(text) ? Number(text) : 0;
}

/** sd_listen_fds(3): the container's init is process 1 to itself. */
function withListenFds(environment: readonly string[], count: number, spec: Spec): Spec {
  const names = valueIn(environment, "LISTEN_FDNAMES");
  const more = [`LISTEN_FDS=${count}`, "LISTEN_PID=1", ...(names === "" ? [] : [`LISTEN_FDNAMES=${names}`])];
  const process = spec.process ?? { cwd: "/" };
  return { ...spec, process: { ...process, env: [...(process.env ?? []), ...more] } };
}
