// resize: the size of the container's terminal.
// portable: no host types here.

import type { Container } from "../../lifecycle/container.ts";
import type { ShimRequest } from "../../protocol.ts";
import type { Client } from "../client.ts";

/** `conflict` when there is no terminal. */
export function answerResize(
  container: Container,
  client: Client,
  request: Extract<ShimRequest, { op: "resize" }>,
): void {
  try {
    container.resize(request.rows, request.columns);
    client.answer({ ok: true });
  } catch (error) {
    client.fail(error, "resize terminal");
  }
}
