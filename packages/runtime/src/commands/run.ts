// run: create and start in one, and without --detach stay until the end: forward signals, relay the terminal, exit as it exits.
// portable: no host types here.

import { SOCK_STREAM } from "@teu/sys/constants/socket";
import { PR_SET_CHILD_SUBREAPER } from "@teu/sys/constants/process";
import type { Command, Context } from "../cli/command.ts";
import { environmentValue } from "../cli/environment.ts";
import { specState } from "../container/status.ts";
import { attend } from "../linux/attend.ts";
import { runHooks } from "../linux/hooks.ts";
import { killContainer } from "../linux/kill-container.ts";
import { relayUntilReady } from "../linux/notify-socket.ts";
import { type Started, startContainer } from "../linux/start.ts";
import { removeContainer } from "./delete.ts";
import { START_FLAGS, startRequest } from "./start-flags.ts";

/** The command. */
export const run: Command = {
  name: "run",
  operands: "<container-id>",
  doc: "create and run a container",
  minOperands: 1,
  maxOperands: 1,
  flags: [
    ...START_FLAGS,
    { name: "detach", aliases: ["d"], kind: "boolean", doc: "detach from the container's process" },
    { name: "keep", kind: "boolean", doc: "do not delete the container after it exits" },
    {
      name: "no-subreaper",
      kind: "boolean",
      doc: "disable the use of the subreaper used to reap reparented processes",
    },
  ],
  run: (context, flags, [id = ""]) => {
    const { kernel } = context;
    const detach = flags.boolean("detach");
    const request = startRequest(context, flags, id, false, detach);
    if (detach) {
      const started = startContainer(kernel, request);
      postStart(context, started);
      const { notifySocket: socket, pid, pidfd } = started;
      if (socket >= 0) relayUntilReady(kernel, socket, environmentValue(kernel, "NOTIFY_SOCKET"), pid, pidfd);
      return 0;
    }
    if (!flags.boolean("no-subreaper")) kernel.process.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    const terminal = request.spec.process?.terminal === true ? kernel.socket.socketpair(SOCK_STREAM) : null;
    const started = startContainer(kernel, { ...request, consoleFd: terminal?.[1] ?? -1 });
    postStart(context, started);
    const notify =
      started.notifySocket < 0
        ? null
        : { socket: started.notifySocket, host: environmentValue(kernel, "NOTIFY_SOCKET") };
    kernel.step?.("the container runs");
    const code = attend(kernel, started.pid, started.pidfd, terminal?.[0] ?? -1, notify);
    kernel.step?.("remove");
    if (!flags.boolean("keep")) removeContainer(kernel, started.directory, started.record, context.log);
    return code;
  },
};

/** Runs the poststart hooks; when one fails, the container is removed. */
export function postStart({ kernel, log }: Context, started: Started): void {
  const { record } = started;
  try {
    runHooks(kernel, "poststart", record.hooks.poststart, specState(record, "running", record.pid));
  } catch (error) {
    killContainer(kernel, record);
    kernel.process.waitpid(started.pid, 0);
    removeContainer(kernel, started.directory, record, log);
    throw error;
  }
}
