// start: lets the waiting process of a created container become its program (runtime-spec, "Start"), then runs poststart hooks.
// portable: no host types here.

import { type TeuErrorJson, fromJson } from "@teu/base/errors";
import { O_CLOEXEC, O_NONBLOCK, O_RDONLY } from "@teu/sys/constants/fs";
import { POLLIN } from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";
import type { Command } from "../cli/command.ts";
import { environmentValue } from "../cli/environment.ts";
import { type ContainerRecord, StateDirectory } from "../container/record.ts";
import { RESULT_FIFO, START_FIFO, openStart, specState, statusOf } from "../container/status.ts";
import { verbatim } from "../failure.ts";
import { runHooks } from "../linux/hooks.ts";
import { killContainer, openInit } from "../linux/kill-container.ts";
import { listenNotify, relayUntilReady } from "../linux/notify-socket.ts";

const MESSAGE_LIMIT = 64 << 10;

/** The command. */
export const start: Command = {
  name: "start",
  operands: "<container-id>",
  doc: "executes the user defined process in a created container",
  flags: [],
  minOperands: 1,
  maxOperands: 1,
  run: ({ kernel, root }, _flags, [id = ""]) => {
    const directory = StateDirectory.open(kernel, root, id);
    directory.lock();
    const record = directory.read();
    const status = statusOf(kernel, directory, record);
    if (status === "stopped") throw verbatim("conflict", "cannot start a container that has stopped");
    if (status === "creating") throw verbatim("conflict", "cannot start a container that is still being created");
    // Its process would go on, and this command end, only with `resume`.
    if (status === "paused") throw verbatim("conflict", "cannot start a container in the paused state");
    const waiting = openStart(kernel, directory);
    if (waiting < 0) throw verbatim("conflict", "cannot start an already running container");
    const host = environmentValue(kernel, "NOTIFY_SOCKET");
    const socket = host === "" ? -1 : listenNotify(kernel, directory);
    const init = socket < 0 ? null : openInit(kernel, record);
    release(kernel, directory, waiting);
    postStart(kernel, record);
    if (init !== null) relayUntilReady(kernel, socket, host, record.pid, init);
    return 0;
  },
};

/** Writes the byte and waits until the program runs; throws what kept it from running. */
function release(kernel: Kernel, directory: StateDirectory, waiting: number): void {
  const { fs } = kernel;
  const result = fs.openat(directory.fd, RESULT_FIFO, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0);
  fs.write(waiting, "g");
  fs.close(waiting);
  // End of file comes when execve has closed the other end.
  kernel.poll.pollOne(result, POLLIN, -1);
  const data = fs.read(result, MESSAGE_LIMIT);
  fs.close(result);
  fs.unlinkAt(directory.fd, START_FIFO, 0);
  fs.unlinkAt(directory.fd, RESULT_FIFO, 0);
  if (data.length > 0) throw fromJson((JSON.parse(kernel.host.utf8Decode(data)) as { error: TeuErrorJson }).error);
}

/** Since runtime-spec 1.3 a poststart hook that fails is an error of start, and the container is killed. */
function postStart(kernel: Kernel, record: ContainerRecord): void {
  try {
    runHooks(kernel, "poststart", record.hooks.poststart, specState(record, "running", record.pid));
  } catch (error) {
    killContainer(kernel, record);
    throw error;
  }
}
