// Puts together what a registry tells its operators, and the second address that it tells it at. Nothing of it costs anything
// where it was not asked for.

import type { Scope } from "@teu/base/scope";
import type { Caller } from "@teu/distribution/server/access";
import type { MetadataStorage } from "@teu/distribution/server/metadata-storage";
import type { Observer } from "@teu/distribution/server/registry-event";

import type { PullThroughCounts } from "../proxy/pull-through.ts";
import { type WebhookOptions, Webhooks } from "../webhooks/webhooks.ts";
import { Operations } from "./operations.ts";
import type { Answered } from "./request-entry.ts";
import { OperationsServer } from "./operations-server.ts";

/** What may be asked for. */
export interface OperationsOptions {
  /** A second address with /metrics, /healthz and /readyz. */
  readonly operations?: { readonly address: string; readonly token?: string };
  /** File of the access log, one line of JSON for each request; "-" is the standard output. */
  readonly accessLog?: string;
  /** File of the audit log: what was changed by whom, and what was refused. */
  readonly auditLog?: string;
  /** Who is told of pushes, pulls and deletions. */
  readonly webhooks?: readonly WebhookOptions[];
}

/** What they need. */
export interface OperationsParts {
  readonly scope: Scope;
  readonly root: string | undefined;
  readonly addressOf: (caller: Caller) => string;
}

/** What a registry has to do with them. */
export interface OpenOperations extends AsyncDisposable {
  /** Absent when nobody asked for anything. */
  readonly observe?: Observer;
  readonly observeToken?: (answered: Answered) => void;
  /** Begins once the registry listens. @throws TeuError as `OperationsServer.listen`. */
  begin(facts: {
    readonly url: string;
    readonly metadata: MetadataStorage;
    readonly underWay: () => number;
    readonly isDraining: () => boolean;
    readonly proxied?: PullThroughCounts;
  }): Promise<void>;
  /** Where the second address is. */
  readonly address: string | undefined;
  reopenLogs(): void;
}

/** Opens logs and queues. @throws TeuError when they cannot be. */
export async function openOperations(options: OperationsOptions, parts: OperationsParts): Promise<OpenOperations> {
  const { operations: second, webhooks: receivers = [] } = options;
  const asked =
    second !== undefined || options.accessLog !== undefined || options.auditLog !== undefined || receivers.length > 0;
  if (!asked)
    return { begin: async () => {}, address: undefined, reopenLogs: () => {}, [Symbol.asyncDispose]: async () => {} };
  await using undo = new AsyncDisposableStack();
  const webhooks = undo.use(await Webhooks.open(parts.scope, receivers, parts.root));
  const operations = undo.use(new Operations(options, parts.addressOf, () => webhooks));
  const held = undo.move();
  return new Opened(parts.scope, second, operations, webhooks, held);
}

const PROXY_COUNTS: readonly (readonly [keyof PullThroughCounts, string])[] = [
  ["hits", "Questions about content of upstreams that was here."],
  ["fetched", "Manifests and blobs fetched from upstreams."],
  ["stale", "Tags answered by what was here, since the upstream failed."],
  ["failed", "Failures of upstreams."],
];

class Opened implements OpenOperations {
  readonly observe: Observer;
  readonly observeToken: (answered: Answered) => void;
  readonly #scope: Scope;
  readonly #second: OperationsOptions["operations"];
  readonly #operations: Operations;
  readonly #webhooks: Webhooks;
  readonly #held: AsyncDisposableStack;
  #server: OperationsServer | undefined;

  constructor(
    scope: Scope,
    second: OperationsOptions["operations"],
    operations: Operations,
    webhooks: Webhooks,
    held: AsyncDisposableStack,
  ) {
    this.#scope = scope;
    this.#second = second;
    this.#operations = operations;
    this.#webhooks = webhooks;
    this.#held = held;
    this.observe = operations.observe;
    this.observeToken = operations.observeToken;
  }

  get address(): string | undefined {
    return this.#server?.address;
  }

  async begin({ url, metadata, underWay, isDraining, proxied }: Parameters<OpenOperations["begin"]>[0]): Promise<void> {
    this.#webhooks.registry = url;
    const { metrics } = this.#operations;
    metrics.gauge("teu_registry_requests_under_way", "Requests that are not answered yet.", underWay);
    metrics.gauge(
      "teu_registry_webhook_events_waiting",
      "Events that no receiver has taken yet.",
      () => this.#webhooks.waiting,
    );
    for (const [kind, help] of proxied === undefined ? [] : PROXY_COUNTS)
      metrics.counterOf(`teu_registry_proxy_${kind}_total`, help, () => proxied?.[kind] ?? 0);
    if (this.#second === undefined) return;
    this.#server = this.#held.use(
      await OperationsServer.listen({
        ...this.#second,
        metrics,
        unready: async () => {
          if (isDraining()) return "draining";
          await metadata.hasRepository(this.#scope, "readyz");
          return null;
        },
      }),
    );
  }

  reopenLogs(): void {
    this.#operations.reopenLogs();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held.disposeAsync();
  }
}
