// A further process in the container: its own pipes or pty, reaped by the shim, living on when its client goes away.
// portable: no host types here.

import { errorText } from "@teu/base/errors";
import { removeFile, writeJsonFile } from "../lifecycle/durable-file.ts";
import type { Container } from "../lifecycle/container.ts";
import { runTask, suspend } from "../loop/task.ts";
import type { Task } from "../loop/task.ts";
import type { Ending } from "../process/reaper.ts";
import type { ShimRequest } from "../protocol.ts";
import { Attachments } from "../server/attachments.ts";
import type { ProcessIo } from "../stdio/process-io.ts";

/** A process that runs. */
export interface ExecSession {
  readonly pid: number;
  readonly io: ProcessIo;
  readonly attachments: Attachments;
}

let sequence = 0;

/**
 * Starts the process. Output that comes before a client is added waits in the pipe.
 * @throws TeuError `conflict` when the container does not run; `invalid` with `detail.exitCode` when the program cannot be run.
 */
export function* startExec(container: Container, request: Extract<ShimRequest, { op: "exec" }>): Task<ExecSession> {
  container.requireRunning("exec in container");
  const { kernel, config } = container;
  const name = `exec-${sequence++}`;
  const processFile = `${config.runDir}/${name}.json`;
  const terminal = (request.process as { terminal?: boolean }).terminal === true;
  const streams = request.detach ? { stdin: false, stdout: false, stderr: false } : request;
  const { stdin, stdout, stderr } = streams;
  const io = container.newIo({ terminal, stdin, stdout, stderr, consoleName: `${name}.sock` });
  using _hold = container.reaper.hold();
  let pid: number;
  try {
    writeJsonFile(kernel, processFile, request.process, false);
    const call = container.runtime.exec(processFile, `${config.runDir}/${name}.pid`, io);
    pid = yield* container.counted(call);
  } catch (error) {
    io.close();
    throw error;
  } finally {
    removeFile(kernel, processFile);
  }
  const attachments = new Attachments(kernel, { pause: () => io.pause(), resume: () => io.resume() });
  const session = { pid, io, attachments };
  yield* io.connect((output, data) => attachments.output(output, data));
  runTask(
    follow(container, session),
    () => {},
    (error) => container.log.warn(`exec ${pid}: ${errorText(error)}`),
  );
  return session;
}

function* follow(container: Container, session: ExecSession): Task<void> {
  const ending = yield* suspend<Ending>((settle) => container.reaper.watch(session.pid, settle.resolve));
  yield* session.io.drain();
  session.attachments.end({ code: ending.code });
}
