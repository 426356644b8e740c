// Starts the thread that computes bcrypt: a check takes a tenth of a second, and the event loop has requests to serve.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";

/** To the thread. */
export interface PasswordQuestion {
  readonly id: number;
  readonly password: string;
  readonly hash: string;
}

/** From the thread. */
export interface PasswordAnswer {
  readonly id: number;
  readonly right: boolean;
}

/** Starts the thread. It does not keep the process alive; who starts it ends it. */
export function startPasswordWorker(): Worker {
  const here = fileURLToPath(import.meta.url);
  const file = here.endsWith(".ts") ? "password-thread.ts" : "../threads/password-thread.cjs";
  const worker = new Worker(join(dirname(here), file), {
    // Our own flags (--input-type, --test) are not for it.
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
  });
  worker.unref();
  return worker;
}
