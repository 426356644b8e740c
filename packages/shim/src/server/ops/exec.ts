// exec: a further process in the container, with streams or detached.
// portable: no host types here.

import { startExec } from "../../exec/exec-session.ts";
import type { Container } from "../../lifecycle/container.ts";
import { runTask } from "../../loop/task.ts";
import type { ShimRequest } from "../../protocol.ts";
import type { Client } from "../client.ts";

/** Answers when the process runs, or with why it does not. */
export function answerExec(container: Container, client: Client, request: Extract<ShimRequest, { op: "exec" }>): void {
  runTask(
    startExec(container, request),
    ({ pid, io, attachments }) => {
      if (request.detach) {
        client.answer({ ok: true, pid });
        return;
      }
      client.stream(
        { ok: true, pid },
        {
          attachments,
          input: request.stdin ? io.input : undefined,
          resize: (rows, columns) => void io.resize(rows, columns),
          inputEnded: () => io.input.end(),
        },
        // Nobody else reads it and nothing is logged: the process waits for its client, as for a pipe.
        { stdout: request.stdout, stderr: request.stderr, wait: true },
      );
    },
    (error) => client.fail(error, "exec in container"),
  );
}
