// Checks passwords against bcrypt hashes, one at a time in a thread that is there only while it has work.

import type { Worker } from "node:worker_threads";
import { TeuError } from "@teu/base/errors";

import { type PasswordAnswer, type PasswordQuestion, startPasswordWorker } from "./password-worker.ts";

/** How many may wait: at a tenth of a second each, more would wait longer than clients do. */
const MOST_WAITING = 32;
/** A thread costs some 8 MB: it goes when nobody has asked for this long. */
const IDLE = 30_000;

interface Waiting {
  resolve(right: boolean): void;
  reject(error: unknown): void;
}

/** See the head of this file. Disposing ends the thread; who still waits gets `cancelled`. */
export class PasswordChecker implements AsyncDisposable {
  readonly #waiting: Map<number, Waiting> = new Map();
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #count = 0;

  /** Whether `password` is the one of a bcrypt hash. @throws TeuError `exhausted` when too many wait, `internal` when the thread fails. */
  async check(password: string, hash: string): Promise<boolean> {
    if (this.#waiting.size >= MOST_WAITING) {
      throw new TeuError({ code: "exhausted", op: "check password", message: "too many logins at once" });
    }
    clearTimeout(this.#idle);
    const id = ++this.#count;
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    this.#waiting.set(id, { resolve, reject });
    try {
      this.#worker ??= this.#start();
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      this.#worker.postMessage({ id, password, hash } satisfies PasswordQuestion);
      return await promise;
    } finally {
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) this.#idle = setTimeout(() => void this.#end(), IDLE).unref();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#idle);
    this.#rejectAll(new TeuError({ code: "cancelled", op: "check password", message: "the registry is closing" }));
    await this.#end();
    clearTimeout(this.#idle);
  }

  #start(): Worker {
    const worker = startPasswordWorker();
    let cause: unknown = new Error("it ended");
    worker.on("message", ({ id, right }: PasswordAnswer) => this.#waiting.get(id)?.resolve(right));
    worker.on("error", (error) => (cause = error));
    worker.on("exit", () => {
      // One that was ended on purpose has nobody waiting for it.
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#rejectAll(new TeuError({ code: "internal", op: "check password", message: "the thread failed", cause }));
    });
    return worker;
  }

  async #end(): Promise<void> {
    const ending = this.#worker;
    this.#worker = undefined;
    await ending?.terminate();
  }

  #rejectAll(error: TeuError): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}
