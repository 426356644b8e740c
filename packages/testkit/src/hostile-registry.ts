// A registry that does what it is told to, right or wrong: the other end of client tests. Records every request.
// Answers are functions; the ones that lie in well-known ways are in hostile-answers.ts.

import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";

/** One request as it arrived. */
export interface RecordedRequest {
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** The body, as far as the answer read it. */
  readonly body: Buffer;
}

/** Answers one request; what it throws closes the connection. */
export type Answer = (response: ServerResponse, request: RecordedRequest, raw: IncomingMessage) => void | Promise<void>;

interface Rule {
  readonly method: string;
  readonly path: RegExp;
  readonly answer: Answer;
  times: number;
}

/** See the head of this file. */
export class HostileRegistry implements AsyncDisposable {
  /** "127.0.0.1:PORT". */
  readonly address: string;
  readonly url: string;
  readonly requests: RecordedRequest[] = [];
  readonly #server: Server;
  readonly #rules: Rule[] = [];

  private constructor(server: Server) {
    this.#server = server;
    this.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.url = `http://${this.address}`;
  }

  /** Listens on a free loopback port. Until told otherwise it answers the ping with 200 and everything else with 404. */
  static async listen(): Promise<HostileRegistry> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const registry = new HostileRegistry(server);
    server.on("request", (request, response) => void registry.answer(request, response));
    return registry;
  }

  /** Answers requests of a method whose path (with query) fits; rules given last come first; after `times` uses a rule is spent. */
  on(method: string, path: string | RegExp, answer: Answer, times: number = Number.POSITIVE_INFINITY): this {
    const pattern = typeof path === "string" ? new RegExp(`^${path.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`) : path;
    this.#rules.unshift({ method, path: pattern, answer, times });
    return this;
  }

  /** Requests of a method. */
  seen(method: string, path: RegExp = /./): RecordedRequest[] {
    return this.requests.filter((request) => request.method === method && path.test(request.path));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  /** Answers one request by the rules. */
  async answer(raw: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    const request: RecordedRequest = {
      method: raw.method ?? "",
      path: raw.url ?? "",
      headers: raw.headers,
      get body() {
        return Buffer.concat(chunks);
      },
    };
    this.requests.push(request);
    raw.on("error", () => {});
    const rule = this.#rules.find(
      (one) => one.times > 0 && one.method === request.method && one.path.test(request.path),
    );
    if (rule !== undefined) rule.times--;
    try {
      raw.on("data", (chunk: Buffer) => chunks.push(chunk));
      if (rule !== undefined) {
        await rule.answer(response, request, raw);
      } else {
        response.writeHead(request.path === "/v2/" ? 200 : 404).end();
      }
    } catch {
      response.destroy();
    }
  }
}
