// The thread that computes bcrypt: a check takes a tenth of a second, and the event loop has requests to serve.
// This file is both ends: imported, it starts the thread; run as the thread, it answers. So a bundle needs no second entry.

import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

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

const ROLE = "teu password worker";

/** Starts the thread. It does not keep the process alive. */
export function startPasswordWorker(): Worker {
  // Our own flags (--input-type, --test) are not for it.
  const worker = new Worker(import.meta.filename, {
    workerData: ROLE,
    execArgv: [],
    stdout: false,
    resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
  });
  worker.unref();
  return worker;
}

async function answerQuestions(port: NonNullable<typeof parentPort>): Promise<void> {
  const { compareSync } = await import("bcryptjs");
  port.on("message", ({ id, password, hash }: PasswordQuestion) => {
    port.postMessage({ id, right: compareSync(password, hash) } satisfies PasswordAnswer);
  });
}

if (!isMainThread && workerData === ROLE && parentPort !== null) void answerQuestions(parentPort);
