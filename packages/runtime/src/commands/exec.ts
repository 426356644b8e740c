// exec: runs another process in a running container.
// portable: no host types here.

import { SOCK_STREAM } from "@teu/sys/constants/socket";
import type { Process, Spec } from "@teu/specs/runtime";
import { parseProcess, parseSpec } from "@teu/specs/runtime-parse";
import type { Command, Context } from "../cli/command.ts";
import { absolutePath } from "../cli/environment.ts";
import type { Flag, FlagValues } from "../cli/flags.ts";
import { readGivenFile } from "../cli/given-file.ts";
import { StateDirectory } from "../container/record.ts";
import { statusOf } from "../container/status.ts";
import { verbatim } from "../failure.ts";
import { attend } from "../linux/attend.ts";
import { subCgroup } from "../linux/cgroup/sub-cgroup.ts";
import { enterContainer } from "../linux/enter.ts";
import { PIDFD_SOCKET, PRESERVE_FDS, preservedFds } from "./preserve-fds.ts";
import { parseUser } from "./user-flag.ts";

const PROCESS_LIMIT = 4 << 20;

const FLAGS: readonly Flag[] = [
  {
    name: "console-socket",
    kind: "string",
    doc: "path to an AF_UNIX socket which will receive the master end of the console's pseudoterminal",
  },
  { name: "cwd", kind: "string", doc: "current working directory in the container" },
  { name: "env", aliases: ["e"], kind: "list", doc: "set environment variables" },
  { name: "tty", aliases: ["t"], kind: "boolean", doc: "allocate a pseudo-TTY" },
  { name: "user", aliases: ["u"], kind: "string", doc: "UID (format: <uid>[:<gid>])" },
  { name: "additional-gids", aliases: ["g"], kind: "list", doc: "additional gids" },
  { name: "process", aliases: ["p"], kind: "string", doc: "path to the process.json" },
  { name: "detach", aliases: ["d"], kind: "boolean", doc: "detach from the container's process" },
  { name: "pid-file", kind: "string", doc: "specify the file to write the process id to" },
  {
    name: "process-label",
    kind: "string",
    doc: "set the asm process label for the process commonly used with selinux",
  },
  { name: "apparmor", kind: "string", doc: "set the apparmor profile for the process" },
  { name: "no-new-privs", kind: "boolean", doc: "set the no new privileges value for the process" },
  { name: "cap", aliases: ["c"], kind: "list", doc: "add a capability to the bounding set for the process" },
  PRESERVE_FDS,
  PIDFD_SOCKET,
  { name: "cgroup", kind: "list", doc: "run the process in a sub-cgroup: [<controller>[,<controller>...]:]<path>" },
  { name: "ignore-paused", kind: "boolean", doc: "allow exec in a paused container" },
];

/** The command. */
export const exec: Command = {
  name: "exec",
  operands: "<container-id> <command> [command options]",
  doc: "execute new process inside the container",
  flags: FLAGS,
  minOperands: 1,
  maxOperands: Number.POSITIVE_INFINITY,
  run: (context, flags, [id = "", ...args]) => {
    const { kernel, root } = context;
    const directory = StateDirectory.open(kernel, root, id);
    const record = directory.read();
    const status = statusOf(kernel, directory, record);
    if (status === "stopped" || status === "creating") throw verbatim("conflict", "cannot exec in a stopped container");
    if (status === "paused" && !flags.boolean("ignore-paused")) {
      throw verbatim("conflict", "cannot exec in a paused container (use --ignore-paused to override)");
    }
    const spec = parseSpec(directory.readConfig(), kernel.host.isStrictJson);
    const process = flags.string("process") === "" ? fromFlags(spec, flags, args) : readProcess(context, spec, flags);
    return runProcess(context, flags, directory, record, spec, process);
  },
};

function runProcess(
  context: Context,
  flags: FlagValues,
  directory: StateDirectory,
  record: ReturnType<StateDirectory["read"]>,
  spec: Spec,
  process: Process,
): number {
  const { kernel } = context;
  const detach = flags.boolean("detach");
  const terminal = process.terminal ?? false;
  const consoleSocket = flags.string("console-socket");
  if (terminal && detach && consoleSocket === "")
    throw verbatim("invalid", "cannot allocate tty if runc will detach without setting console socket");
  if (consoleSocket !== "" && (!terminal || !detach))
    throw verbatim("invalid", "cannot use console socket if runc will not detach or allocate tty");
  const pair = terminal && !detach ? kernel.socket.socketpair(SOCK_STREAM) : null;
  const pidFile = flags.string("pid-file");
  const entered = enterContainer(kernel, {
    root: context.root,
    record,
    spec,
    process,
    consoleSocket,
    consoleFd: pair?.[1] ?? -1,
    preserveFds: preservedFds(flags),
    pidfdSocket: flags.string(PIDFD_SOCKET.name),
    cgroup: subCgroup(record.cgroup, flags.list("cgroup")),
    pidFile: pidFile === "" ? "" : absolutePath(kernel, pidFile),
  });
  directory.close();
  kernel.step?.("the process runs");
  return detach ? 0 : attend(kernel, entered.pid, entered.pidfd, pair?.[0] ?? -1);
}

/** The document of --process; what it does not say about capabilities and limits is the container's, as with runc and crun. */
function readProcess({ kernel }: Context, spec: Spec, flags: FlagValues): Process {
  const path = absolutePath(kernel, flags.string("process"));
  const process = parseProcess(readGivenFile(kernel, path, PROCESS_LIMIT), kernel.host.isStrictJson);
  const capabilities = process.capabilities ?? spec.process?.capabilities;
  const rlimits = process.rlimits ?? spec.process?.rlimits;
  return {
    ...process,
    ...(capabilities === undefined ? {} : { capabilities }),
    ...(rlimits === undefined ? {} : { rlimits }),
  };
}

/** The container's own process with what the flags say otherwise. */
function fromFlags(spec: Spec, flags: FlagValues, args: readonly string[]): Process {
  if (args.length === 0) throw verbatim("invalid", "process args cannot be empty");
  const base: Process = spec.process ?? { cwd: "/" };
  const extra = flags.list("cap");
  const sets = base.capabilities ?? {};
  const more = (set: readonly string[] | undefined): readonly string[] => [...new Set([...(set ?? []), ...extra])];
  const gids = flags.list("additional-gids").map((text) => {
    if (!/^\d{1,10}$/.test(text)) throw verbatim("invalid", `parsing ${JSON.stringify(text)} as int for gid failed`);
    return Number(text);
  });
  return {
    ...base,
    args,
    terminal: flags.boolean("tty"),
    ...(flags.string("cwd") === "" ? {} : { cwd: flags.string("cwd") }),
    env: [...(base.env ?? []), ...flags.list("env")],
    user: {
      ...base.user,
      ...parseUser(flags.string("user")),
      ...(gids.length === 0 ? {} : { additionalGids: [...(base.user?.additionalGids ?? []), ...gids] }),
    },
    ...(flags.given("no-new-privs") ? { noNewPrivileges: flags.boolean("no-new-privs") } : {}),
    ...(flags.string("apparmor") === "" ? {} : { apparmorProfile: flags.string("apparmor") }),
    ...(flags.string("process-label") === "" ? {} : { selinuxLabel: flags.string("process-label") }),
    // Never inheritable: with them a program run later could regain what its user was not given (CVE-2022-29162).
    ...(extra.length === 0
      ? {}
      : {
          capabilities: {
            ...sets,
            bounding: more(sets.bounding),
            effective: more(sets.effective),
            permitted: more(sets.permitted),
            inheritable: [],
            ambient: [],
          },
        }),
  };
}
