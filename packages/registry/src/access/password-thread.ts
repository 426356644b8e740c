// The thread that checks passwords. A program of its own: nothing imports it, and the build makes it a file of its own (dist/threads).

import { parentPort } from "node:worker_threads";

import { isPasswordOf } from "./password-hash.ts";
import type { PasswordAnswer, PasswordQuestion } from "./password-worker.ts";

parentPort?.on("message", ({ id, password, hash }: PasswordQuestion) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage({ id, right: isPasswordOf(password, hash) } satisfies PasswordAnswer);
});
