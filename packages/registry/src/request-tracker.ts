// Counts the requests under way, so that closing a registry can wait for them.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { RegistryHandler } from "@teu/distribution/server/handler";

/** Wraps a handler and knows how many of its requests are not answered yet. */
export class RequestTracker {
  readonly #handler: RegistryHandler;
  #active = 0;
  #closing = false;
  #idle: (() => void) | undefined;

  constructor(handler: RegistryHandler) {
    this.#handler = handler;
  }

  /** Passes a request on. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    this.#active++;
    if (this.#closing) response.setHeader("connection", "close");
    void this.#handler(request, response).finally(() => {
      this.#active--;
      if (this.#active === 0) this.#idle?.();
    });
  }

  /** Requests that are not answered yet. */
  get underWay(): number {
    return this.#active;
  }

  /** Whether it waits for the last ones. */
  get isDraining(): boolean {
    return this.#closing;
  }

  /** Resolves when no request is under way, or after `milliseconds`. New ones are answered, and told to go. */
  async drained(milliseconds: number): Promise<void> {
    this.#closing = true;
    if (this.#active === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#idle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
