// What a request is for: the registry's API, or the token server beside it.

import type { ServerResponse } from "node:http";
import { errorText } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { RegistryHandler } from "@teu/distribution/server/handler";

import { TOKEN_PATH } from "./access/access-desk.ts";
import type { TokenServer } from "./access/token-server.ts";
import type { Answered } from "./operations/request-entry.ts";

/** What is behind one address. */
export interface FrontParts {
  readonly registry: RegistryHandler;
  /** The token server, when there is one now. */
  readonly tokens: () => TokenServer | undefined;
  /** Told of requests for tokens. */
  readonly observeToken: ((answered: Answered) => void) | undefined;
}

/** Puts both behind one address. */
export function makeFront(scope: Scope, { registry, tokens, observeToken }: FrontParts): RegistryHandler {
  return async (request, response) => {
    const server = isTokenRequest(request.url ?? "") ? tokens() : undefined;
    if (server === undefined) return registry(request, response);
    const start = performance.now();
    let user: string | null = null;
    try {
      user = await server.handle(scope, request, response);
    } catch (error) {
      fail(scope, response, error);
    }
    observeToken?.({ request, response, user, milliseconds: performance.now() - start });
  };
}

function isTokenRequest(url: string): boolean {
  return url === TOKEN_PATH || url.startsWith(`${TOKEN_PATH}?`);
}

function fail(scope: Scope, response: ServerResponse, error: unknown): void {
  scope.log.warn("token request failed", { error: errorText(error) });
  if (response.headersSent) response.destroy();
  else response.writeHead(500, { "content-length": 0 }).end();
}
