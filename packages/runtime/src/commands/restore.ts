// restore: makes a container again from the images of a checkpoint (CRIU), under this or another id; without --detach stays until its
// end as `run` does.
// portable: no host types here.

import { AT_FDCWD } from "@teu/sys/constants/fs";
import { PR_SET_CHILD_SUBREAPER } from "@teu/sys/constants/process";
import { SOCK_STREAM } from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";
import type { Command, Context } from "../cli/command.ts";
import { absolutePath } from "../cli/environment.ts";
import type { FlagValues } from "../cli/flags.ts";
import { verbatim } from "../failure.ts";
import { attend } from "../linux/attend.ts";
import { NO_CGROUPS, detectCgroups } from "../linux/cgroup/layout.ts";
import { connectConsoleSocket } from "../linux/console.ts";
import { SHARED_FLAGS, sharedOptions } from "../linux/checkpoint/options.ts";
import { type RestoreRequest, restoreContainer } from "../linux/checkpoint/restore.ts";
import { removeContainer } from "./delete.ts";
import { postStart } from "./run.ts";
import { START_FLAGS, checkConsole, readBundle } from "./start-flags.ts";

const OF_START: ReadonlySet<string> = new Set(["bundle", "console-socket", "pid-file", "config", "no-pivot"]);

/** The command. */
export const restore: Command = {
  name: "restore",
  operands: "<container-id>",
  doc: "restore a container from a previous checkpoint",
  minOperands: 1,
  maxOperands: 1,
  flags: [
    ...START_FLAGS.filter(({ name }) => OF_START.has(name)),
    ...SHARED_FLAGS,
    { name: "detach", aliases: ["d"], kind: "boolean", doc: "detach from the container's process" },
    {
      name: "no-subreaper",
      kind: "boolean",
      doc: "disable the use of the subreaper used to reap reparented processes",
    },
    { name: "lsm-profile", kind: "string", doc: "security profile to use after restore, TYPE:NAME" },
    { name: "lsm-mount-context", kind: "string", doc: "security context of the restored mounts (SELinux)" },
  ],
  run: (context, flags, [id = ""]) => {
    const { kernel } = context;
    const detach = flags.boolean("detach");
    const { request, terminal } = restoreRequest(context, flags, id, detach);
    if (detach) {
      const consoleSocket = flags.string("console-socket");
      const consoleFd = consoleSocket === "" ? -1 : connectConsoleSocket(kernel, consoleSocket);
      postStart(context, restoreContainer(kernel, { ...request, consoleFd }));
      return 0;
    }
    if (!flags.boolean("no-subreaper")) kernel.process.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    const [mine, theirs] = terminal ? kernel.socket.socketpair(SOCK_STREAM) : [-1, -1];
    const started = restoreContainer(kernel, { ...request, consoleFd: theirs });
    postStart(context, started);
    const code = attend(kernel, started.pid, started.pidfd, mine);
    removeContainer(kernel, started.directory, started.record, context.log);
    return code;
  },
};

function restoreRequest(
  { kernel, root, cgroupManager }: Context,
  flags: FlagValues,
  id: string,
  detached: boolean,
): { readonly request: RestoreRequest; readonly terminal: boolean } {
  if (cgroupManager === "systemd")
    throw verbatim("unsupported", "restore cannot use the systemd cgroups manager: give --cgroup-manager cgroupfs");
  const { bundle, spec, configText } = readBundle(kernel, flags);
  const terminal = spec.process?.terminal ?? false;
  checkConsole(terminal, detached, flags.string("console-socket"));
  const path = (name: string): string => (flags.string(name) === "" ? "" : absolutePath(kernel, flags.string(name)));
  const request: RestoreRequest = {
    id,
    bundle,
    root,
    spec,
    configText,
    imagePath: path("image-path") || absolutePath(kernel, "checkpoint"),
    workPath: path("work-path"),
    pidFile: path("pid-file"),
    consoleFd: -1,
    program: "",
    cgroups: cgroupManager === "disabled" ? NO_CGROUPS : detectCgroups(kernel, spec.linux?.resources),
    options: { ...sharedOptions(flags), ...labels(kernel, flags) },
  };
  return { request, terminal };
}

/** Labels are refused where the kernel has none: CRIU would pass over them. */
function labels(kernel: Kernel, flags: FlagValues): RestoreRequest["options"] {
  const lsmProfile = flags.string("lsm-profile");
  const lsmMountContext = flags.string("lsm-mount-context");
  const has = (path: string): boolean => kernel.fs.accessAt(AT_FDCWD, path, 0);
  const type = lsmProfile.slice(0, Math.max(0, lsmProfile.indexOf(":")));
  if (lsmProfile !== "" && type !== "apparmor" && type !== "selinux")
    throw verbatim("invalid", `--lsm-profile ${JSON.stringify(lsmProfile)}: want apparmor:NAME or selinux:LABEL`);
  if ((type === "selinux" || lsmMountContext !== "") && !has("/sys/fs/selinux/enforce"))
    throw verbatim("unsupported", "--lsm-profile and --lsm-mount-context: SELinux is not enabled on this host");
  if (type === "apparmor" && !has("/sys/kernel/security/apparmor/profiles"))
    throw verbatim("unsupported", "--lsm-profile: AppArmor is not enabled on this host");
  return { lsmProfile, lsmMountContext };
}
