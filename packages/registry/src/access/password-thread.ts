// The thread that computes bcrypt. Started by password-worker.ts, from here or from its bundle in dist/threads.

import { parentPort } from "node:worker_threads";
import { compareSync } from "bcryptjs";

import type { PasswordAnswer, PasswordQuestion } from "./password-worker.ts";

parentPort?.on("message", ({ id, password, hash }: PasswordQuestion) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage({ id, right: compareSync(password, hash) } satisfies PasswordAnswer);
});
