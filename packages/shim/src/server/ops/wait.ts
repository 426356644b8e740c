// wait: the exit record, once the container has ended and is torn down.
// portable: no host types here.

import type { Container } from "../../lifecycle/container.ts";
import type { Client } from "../client.ts";

/** Answers at the end; a client that goes away before is forgotten. */
export function answerWait(container: Container, client: Client): void {
  const forget = container.onEnd((exit) => client.answer({ ok: true, exit, state: container.state() }));
  client.onClosed(forget);
}
