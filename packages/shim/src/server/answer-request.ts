// Which request goes where.
// portable: no host types here.

import type { Container } from "../lifecycle/container.ts";
import type { ShimRequest } from "../protocol.ts";
import type { Client } from "./client.ts";
import { answerAttach } from "./ops/attach.ts";
import { answerChange } from "./ops/change.ts";
import { answerExec } from "./ops/exec.ts";
import { answerResize } from "./ops/resize.ts";
import { answerState } from "./ops/state.ts";
import { answerWait } from "./ops/wait.ts";

/** Answers one request of one client; never throws. */
export function answerRequest(container: Container, client: Client, request: ShimRequest): void {
  switch (request.op) {
    case "state":
      return answerState(container, client);
    case "wait":
      return answerWait(container, client);
    case "attach":
      return answerAttach(container, client, request);
    case "exec":
      return answerExec(container, client, request);
    case "resize":
      return answerResize(container, client, request);
    default:
      return answerChange(container, client, request);
  }
}
