// One request and its answer: what endpoints read and write, so that headers and bodies are made the same way everywhere.

import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { createScope, type Scope } from "@teu/base/scope";

import { API_VERSION } from "../wire/headers.ts";
import type { Route } from "../wire/routes.ts";
import type { Identity, TagRights } from "./access.ts";
import { type Problem, problem } from "./problem.ts";
import type { RegistryEvent } from "./registry-event.ts";
import type { RegistryServerOptions, ServerLimits } from "./server-options.ts";

/** Node writes texts up to 16 KiB without a detour; the head takes less than the rest. */
const ONE_PIECE = 12 << 10;

/** What endpoints have at hand besides the request. */
export interface ServerContext extends RegistryServerOptions {
  readonly access: NonNullable<RegistryServerOptions["access"]>;
  readonly limits: ServerLimits;
}

/** One request being answered. */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly context: ServerContext;
  /** Path without query. */
  readonly path: string;
  /** Set once the request was allowed. */
  identity: Identity = { name: null };
  /** What the permission says of tags; absent: none is protected. */
  tags: TagRights | undefined;
  /** What it asks for; null before that is known, and for what is nothing here. */
  route: Route | null = null;
  /** What it did. Kept only where somebody is told. */
  readonly events: RegistryEvent[] = [];
  readonly #queryText: string;
  #query: URLSearchParams | undefined;
  #scope: Scope | undefined;

  constructor(request: IncomingMessage, response: ServerResponse, context: ServerContext) {
    this.request = request;
    this.response = response;
    this.context = context;
    const url = request.url ?? "/";
    const mark = url.indexOf("?");
    this.path = mark < 0 ? url : url.slice(0, mark);
    this.#queryText = mark < 0 ? "" : url.slice(mark + 1);
  }

  get method(): string {
    return this.request.method ?? "GET";
  }

  get query(): URLSearchParams {
    return (this.#query ??= new URLSearchParams(this.#queryText));
  }

  /** Ends when the client goes away. Made on demand: most requests are over before anybody could wait. */
  get scope(): Scope {
    if (this.#scope !== undefined) return this.#scope;
    const controller = new AbortController();
    this.response.once("close", () => controller.abort());
    const { scope } = this.context;
    this.#scope = createScope({ signal: controller.signal, log: scope.log, now: () => scope.now() });
    return this.#scope;
  }

  /** A header's text; repeated ones are joined or the first, as node:http does it. */
  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  /** Whether the answer has no body whatever is sent. */
  get isHead(): boolean {
    return this.method === "HEAD";
  }

  /** Answers without a body. */
  sendEmpty(status: number, headers: OutgoingHttpHeaders = {}): void {
    this.response.writeHead(status, {
      ...this.#common(),
      ...(status === 204 || status === 304 ? {} : { "content-length": 0 }),
      ...headers,
    });
    this.response.end();
  }

  /** Answers with bytes that are at hand. */
  sendBytes(status: number, headers: OutgoingHttpHeaders, bytes: Uint8Array): void {
    this.response.writeHead(status, { ...this.#common(), ...headers, "content-length": bytes.length });
    if (this.isHead) this.response.end();
    // As text, whose characters are bytes in latin1, a small body goes out in one piece with the head.
    else if (bytes.length <= ONE_PIECE) this.response.end(asBuffer(bytes).toString("latin1"), "latin1");
    else this.response.end(bytes);
  }

  /** Answers with JSON. */
  sendJson(status: number, value: unknown, headers: OutgoingHttpHeaders = {}): void {
    this.sendBytes(status, { "content-type": "application/json", ...headers }, Buffer.from(JSON.stringify(value)));
  }

  /** Answers with the head of a body that follows in pieces. */
  sendHead(status: number, headers: OutgoingHttpHeaders): void {
    this.response.writeHead(status, { ...this.#common(), ...headers });
  }

  /** Answers with a refusal. */
  sendProblem(refusal: Problem): void {
    if (this.response.headersSent) {
      // Too late to say anything: an answer cut short is the only honest sign.
      this.response.destroy();
      return;
    }
    const unread = !this.request.complete && this.request.headers["content-length"] !== "0";
    if (!unread) return this.sendJson(refusal.status, { errors: refusal.entries }, refusal.headers);
    // The rest of a body nobody wants would be taken for the next request.
    this.#sendUnread(refusal);
  }

  // A connection that is closed with bytes unread is reset, and the answer may be lost with it: a client that is still sending gets
  // its answer at once, and has some time to notice.
  #sendUnread({ status, entries, headers }: Problem): void {
    const { request, response } = this;
    if (response.destroyed) return;
    const bytes = Buffer.from(JSON.stringify({ errors: entries }));
    const head = { "content-type": "application/json", ...headers, connection: "close" };
    this.sendHead(status, { ...head, "content-length": bytes.length });
    if (!this.isHead) response.write(bytes);
    const end = (): void => void response.end();
    const timer = setTimeout(end, this.context.limits.linger).unref();
    response.once("close", () => clearTimeout(timer));
    request.once("end", end).resume();
  }

  /** Notes what the request did, for the observer. */
  happened(event: RegistryEvent): void {
    if (this.context.observe !== undefined) this.events.push(event);
  }

  /** `n` of a paged list. */
  pageSize(fallback: number): number {
    const text = this.query.get("n");
    if (text === null) return fallback;
    if (!/^\d{1,15}$/.test(text))
      throw problem(400, "PAGINATION_NUMBER_INVALID", "n must be a whole number, 0 or more", { n: text.slice(0, 32) });
    return Math.min(Number(text), this.context.limits.pageEntries);
  }

  #common(): OutgoingHttpHeaders {
    const upstream = this.#queryText.includes("ns=") ? this.query.get("ns") : null;
    const named = upstream !== null && /^[A-Za-z0-9.:[\]-]{1,255}$/.test(upstream);
    return named ? { [API_VERSION]: "registry/2.0", "oci-namespace": upstream } : { [API_VERSION]: "registry/2.0" };
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
