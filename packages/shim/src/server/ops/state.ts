// state: what the container is doing now.
// portable: no host types here.

import type { Container } from "../../lifecycle/container.ts";
import type { Client } from "../client.ts";

/** Answers with `ShimState`. */
export function answerState(container: Container, client: Client): void {
  client.answer({ ok: true, state: container.state() });
}
