// start, signal, pause, resume: a task on the container, answered when it is done.
// portable: no host types here.

import type { Container } from "../../lifecycle/container.ts";
import { runTask } from "../../loop/task.ts";
import type { Task } from "../../loop/task.ts";
import type { ShimRequest } from "../../protocol.ts";
import type { Client } from "../client.ts";

/** The requests that change what the container does. */
export type ChangeRequest = Extract<ShimRequest, { op: "start" | "signal" | "pause" | "resume" }>;

/** Answers with the new state, or with the error. A client that goes away meanwhile changes nothing. */
export function answerChange(container: Container, client: Client, request: ChangeRequest): void {
  runTask(
    taskOf(container, request),
    () => client.answer({ ok: true, state: container.state() }),
    (error) => client.fail(error, `${request.op} container`),
  );
}

function taskOf(container: Container, request: ChangeRequest): Task<void> {
  switch (request.op) {
    case "start":
      return container.start();
    case "signal":
      return container.signal(request.signal, request.all === true);
    case "pause":
      return container.pause();
    case "resume":
      return container.resume();
  }
}
