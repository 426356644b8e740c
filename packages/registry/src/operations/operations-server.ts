// A second address, for those who operate the registry: /metrics, /healthz (the process answers) and /readyz (send it requests).

import { createHash, timingSafeEqual } from "node:crypto";
import http, { type IncomingMessage, type ServerResponse } from "node:http";

import { listenOn, parseListenAddress } from "../listen-address.ts";
import type { Metrics } from "./metrics.ts";

/** What it needs. */
export interface OperationsServerOptions {
  /** "HOST:PORT". */
  readonly address: string;
  /** Metrics only for who sends this as a bearer token; absent: for everybody who reaches the address. */
  readonly token?: string;
  readonly metrics: Metrics;
  /** What keeps it from being ready; null: nothing. */
  readonly unready: () => Promise<string | null>;
}

/** A listening server; disposing closes it. */
export class OperationsServer implements AsyncDisposable {
  /** "HOST:PORT" with the real port. */
  readonly address: string;
  readonly #server: http.Server;

  private constructor(address: string, server: http.Server) {
    this.address = address;
    this.#server = server;
  }

  /** @throws TeuError as `listenOn`. */
  static async listen(options: OperationsServerOptions): Promise<OperationsServer> {
    const address = parseListenAddress(options.address);
    const server = http.createServer({ headersTimeout: 10_000, requestTimeout: 10_000 }, (request, response) => {
      void answer(options, request, response);
    });
    return new OperationsServer(await listenOn(server, address), server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}

async function answer(
  { metrics, token, unready }: OperationsServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? "").split("?")[0];
  if (request.method !== "GET" && request.method !== "HEAD") return send(response, 405, "GET or HEAD\n");
  if (path === "/healthz") return send(response, 200, "alive\n");
  if (path === "/readyz") {
    const reason = await unready().catch(() => "the storage does not answer");
    return send(response, reason === null ? 200 : 503, `${reason ?? "ready"}\n`);
  }
  if (path !== "/metrics") return send(response, 404, "/metrics, /healthz, /readyz\n");
  if (token !== undefined && !isSame(request.headers.authorization ?? "", `Bearer ${token}`)) {
    response.setHeader("www-authenticate", "Bearer");
    return send(response, 401, "the token is missing or wrong\n");
  }
  return send(response, 200, metrics.text(), "text/plain; version=0.0.4; charset=utf-8");
}

function send(response: ServerResponse, status: number, text: string, type: string = "text/plain"): void {
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(text) });
  response.end(text);
}

// Hashes have one length, and their comparison tells nothing of the text's.
function isSame(given: string, wanted: string): boolean {
  const hash = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(given), hash(wanted));
}
