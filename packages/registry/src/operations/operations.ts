// What a registry tells those who operate it: metrics, access log, audit log, webhooks. It is told of every request, and tells on.

import type { IncomingMessage } from "node:http";
import type { Exchange } from "@teu/distribution/server/exchange";

import type { Webhooks } from "../webhooks/webhooks.ts";
import { jsonLine } from "./json-log.ts";
import { LineFile } from "./line-file.ts";
import { type Counter, type Histogram, Metrics } from "./metrics.ts";
import { type Answered, auditEntry, loginEntry, requestEntry } from "./request-entry.ts";

const SECONDS = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60];

/** See the head of this file. */
export class Operations implements Disposable {
  readonly metrics: Metrics = new Metrics();
  readonly #access: LineFile | undefined;
  readonly #audit: LineFile | undefined;
  readonly #addressOf: (request: IncomingMessage) => string;
  readonly #webhooks: () => Webhooks | undefined;
  readonly #requests: Counter;
  readonly #seconds: Histogram;
  readonly #events: Counter;
  readonly #bytes: Counter;

  /** @throws TeuError when a log cannot be opened. */
  constructor(
    { accessLog, auditLog }: { readonly accessLog?: string; readonly auditLog?: string },
    addressOf: (request: IncomingMessage) => string,
    webhooks: () => Webhooks | undefined,
  ) {
    this.#access = accessLog === undefined ? undefined : new LineFile(accessLog, { gather: true });
    this.#audit = auditLog === undefined ? undefined : new LineFile(auditLog, { gather: false });
    this.#addressOf = addressOf;
    this.#webhooks = webhooks;
    const { metrics } = this;
    this.#requests = metrics.counter("teu_registry_requests_total", "Requests by route, method and status.", [
      "route",
      "method",
      "status",
    ]);
    this.#seconds = metrics.histogram("teu_registry_request_seconds", "Time to answer, by route.", ["route"], SECONDS);
    this.#events = metrics.counter("teu_registry_events_total", "Pushes, pulls, mounts and deletions.", ["action"]);
    this.#bytes = metrics.counter("teu_registry_content_bytes_total", "Bytes of content pushed and pulled.", [
      "action",
    ]);
    metrics.gauge("process_resident_memory_bytes", "Memory of the process.", () => process.memoryUsage.rss());
    metrics.counterOf("process_cpu_seconds_total", "CPU time of the process.", cpuSeconds);
    const started = Date.now() / 1000 - process.uptime();
    metrics.gauge("process_start_time_seconds", "When the process began, since 1970.", () => started);
  }

  /** Told of a request. */
  readonly observe = (exchange: Exchange, milliseconds: number): void => {
    const route = exchange.route?.kind ?? "none";
    const method = METHODS.has(exchange.method) ? exchange.method : "other";
    this.#requests.add([route, method, String(exchange.response.statusCode)]);
    this.#seconds.observe([route], milliseconds / 1000);
    for (const { action, size } of exchange.events) {
      this.#events.add([action]);
      if (action !== "delete" && action !== "mount") this.#bytes.add([action], size ?? 0);
    }
    if (this.#access !== undefined || this.#audit !== undefined) this.#log(exchange, milliseconds);
    if (exchange.events.length > 0) this.#webhooks()?.happened(exchange, this.#addressOf(exchange.request));
  };

  /** Told of a request for a token. */
  readonly observeToken = (answered: Answered): void => {
    const { request, response, milliseconds } = answered;
    const method = METHODS.has(request.method ?? "") ? (request.method ?? "") : "other";
    this.#requests.add(["token", method, String(response.statusCode)]);
    this.#seconds.observe(["token"], milliseconds / 1000);
    if (this.#access === undefined && this.#audit === undefined) return;
    const entry = requestEntry(answered, this.#addressOf(request));
    this.#access?.write(jsonLine({ ...entry }));
    const login = loginEntry(entry);
    if (login !== undefined) this.#audit?.write(jsonLine({ ...login }));
  };

  /** Opens the logs anew, after somebody moved them away. */
  reopenLogs(): void {
    this.#access?.reopen();
    this.#audit?.reopen();
  }

  [Symbol.dispose](): void {
    this.#access?.[Symbol.dispose]();
    this.#audit?.[Symbol.dispose]();
  }

  #log(exchange: Exchange, milliseconds: number): void {
    const { request, response, identity } = exchange;
    const entry = requestEntry({ request, response, user: identity.name, milliseconds }, this.#addressOf(request));
    this.#access?.write(jsonLine({ ...entry }));
    const audit = this.#audit === undefined ? undefined : auditEntry(exchange, entry);
    if (audit !== undefined) this.#audit?.write(jsonLine({ ...audit }));
  }
}

const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
