// Webhooks: whoever wants to know of pushes, pulls and deletions is told, one event after the other for each receiver, again and
// again with growing pauses until the receiver takes it.

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { errorText, TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { Exchange } from "@teu/distribution/server/exchange";
import type { RegistryEvent } from "@teu/distribution/server/registry-event";

import { type Glob, parseGlob } from "../rights/glob.ts";
import { deliver, type DeliveryTarget } from "./deliver.ts";
import { type WebhookEvent, webhookEvent } from "./envelope.ts";
import { EventQueue } from "./event-queue.ts";

/** One receiver. */
export interface WebhookOptions {
  /** Names its queue: stays the same when the URL changes. */
  readonly name: string;
  readonly url: string;
  /** What it is told. Default: push, mount and delete. */
  readonly actions?: readonly RegistryEvent["action"][];
  /** Patterns; default: all. */
  readonly repositories?: readonly string[];
  /** Blobs as well, not only manifests and tags. Default false. */
  readonly blobs?: boolean;
  readonly secret?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly allowPrivate?: boolean;
  /** Milliseconds for one try. Default 10 s. */
  readonly timeout?: number;
  /** First pause after a failure, milliseconds; doubled up to five minutes. Default a second. */
  readonly pause?: number;
}

const LONGEST_PAUSE = 300_000;
/** Events that may wait for one receiver. */
const MOST_WAITING = 10_000;

/** All receivers. Disposing ends deliveries; what waits is there at the next start. */
export class Webhooks implements AsyncDisposable {
  readonly #scope: Scope;
  readonly #receivers: readonly Receiver[];
  /** How the registry calls itself in events. */
  registry: string = "";

  private constructor(scope: Scope, receivers: readonly Receiver[]) {
    this.#scope = scope;
    this.#receivers = receivers;
  }

  /** Opens the queues below `root`. @throws TeuError `invalid` for a URL, `denied`. */
  static async open(scope: Scope, options: readonly WebhookOptions[], root: string | undefined): Promise<Webhooks> {
    const receivers: Receiver[] = [];
    for (const one of options) {
      const directory = root === undefined ? undefined : join(root, "webhooks", one.name);
      receivers.push(new Receiver(scope, one, await EventQueue.open(directory, MOST_WAITING)));
    }
    return new Webhooks(scope, receivers);
  }

  /** Events that wait for all receivers together. */
  get waiting(): number {
    return this.#receivers.reduce((sum, { waiting }) => sum + waiting, 0);
  }

  /** Tells of what a request did. */
  happened(exchange: Exchange, address: string): void {
    for (const event of exchange.events) {
      const wanting = this.#receivers.filter((receiver) => receiver.wants(event));
      if (wanting.length === 0) continue;
      const made = webhookEvent(exchange, event, { address, registry: this.registry });
      for (const receiver of wanting) receiver.tell(made);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#receivers.map((receiver) => receiver[Symbol.asyncDispose]()));
    this.#scope.log.debug("webhooks ended", { waiting: this.waiting });
  }
}

class Receiver implements AsyncDisposable {
  readonly #scope: Scope;
  readonly #options: WebhookOptions;
  readonly #target: DeliveryTarget;
  readonly #globs: readonly Glob[];
  readonly #queue: EventQueue;
  readonly #end: AbortController = new AbortController();
  #working: Promise<void> | undefined;

  constructor(scope: Scope, options: WebhookOptions, queue: EventQueue) {
    this.#scope = scope;
    this.#options = options;
    const { url, secret, headers = {}, allowPrivate = false, timeout = 10_000 } = options;
    this.#target = {
      url: parseTarget(url),
      headers,
      allowPrivate,
      timeout,
      ...(secret === undefined ? {} : { secret }),
    };
    this.#globs = (options.repositories ?? ["**"]).map(parseGlob);
    this.#queue = queue;
    this.#work();
  }

  get waiting(): number {
    return this.#queue.length;
  }

  wants({ action, repository, mediaType, tag }: RegistryEvent): boolean {
    const { actions = ["push", "mount", "delete"], blobs = false } = this.#options;
    const isBlob =
      action === "mount" ||
      (tag === undefined && (mediaType === undefined || mediaType === "application/octet-stream"));
    if (!actions.includes(action) || !this.#globs.some((glob) => glob.matches(repository))) return false;
    // Who deletes by digest does not say what it is.
    return blobs || !isBlob || action === "delete";
  }

  tell(event: WebhookEvent): void {
    if (!this.#queue.push(JSON.stringify({ events: [event] })))
      this.#scope.log.warn("webhook queue is full, an event is lost", { webhook: this.#options.name, id: event.id });
    this.#work();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#working;
    await this.#queue.settled();
  }

  #work(): void {
    this.#working ??= this.#deliverAll().finally(() => {
      this.#working = undefined;
      // One may have come between the last look and now.
      if (this.#queue.length > 0 && !this.#end.signal.aborted) this.#work();
    });
  }

  async #deliverAll(): Promise<void> {
    const { signal } = this.#end;
    let pause = this.#options.pause ?? 1000;
    while (!signal.aborted) {
      try {
        const event = await this.#queue.first();
        if (event === null) return;
        await deliver(signal, this.#target, event.body);
        await this.#queue.remove(event);
        pause = this.#options.pause ?? 1000;
      } catch (error) {
        if (signal.aborted) return;
        const { name } = this.#options;
        this.#scope.log.warn("webhook failed", {
          webhook: name,
          error: errorText(error),
          again: pause,
          waiting: this.waiting,
        });
        await sleep(pause, undefined, { signal, ref: false }).catch(() => {});
        pause = Math.min(LONGEST_PAUSE, pause * 2);
      }
    }
  }
}

function parseTarget(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && (url.protocol === "https:" || url.protocol === "http:")) return url;
  // Not shown: it may hold a secret.
  throw new TeuError({ code: "invalid", op: "open webhooks", message: "a webhook's url is no http or https URL" });
}
