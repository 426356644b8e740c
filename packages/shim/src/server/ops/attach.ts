// attach: the container's streams, from now on.
// portable: no host types here.

import type { Container } from "../../lifecycle/container.ts";
import type { ShimRequest } from "../../protocol.ts";
import type { Client } from "../client.ts";

/** Answers, and goes on with frames until the container's output has ended. */
export function answerAttach(
  container: Container,
  client: Client,
  request: Extract<ShimRequest, { op: "attach" }>,
): void {
  const { stdin, stdinOnce, terminal } = container.config;
  const input = request.stdin && stdin ? container.io?.input : undefined;
  client.stream(
    { ok: true, state: container.state() },
    {
      attachments: container.attachments,
      input,
      resize: (rows, columns) => void container.io?.resize(rows, columns),
      // Docker's StdinOnce: a client that detaches from a terminal may come back, one that ends a pipe may not.
      inputEnded: (how) => {
        if (stdinOnce && !(terminal && how === "gone")) input?.end();
      },
    },
    { stdout: request.stdout, stderr: request.stderr, wait: request.wait === true },
  );
}
