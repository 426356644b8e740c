// The size of the thread pool, as libuv sees it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const MODULE = JSON.stringify(join(import.meta.dirname, "thread-pool.ts"));
/** Prints the threads that the pool has begun. */
const PROGRAM = `
  import { pbkdf2 } from "node:crypto";
  import { readdirSync, readFileSync } from "node:fs";
  import { fitThreadPool } from ${MODULE};
  fitThreadPool(process.env);
  pbkdf2("a", "b", 1, 8, "sha256", () => {
    const names = readdirSync("/proc/self/task").map((id) => readFileSync(\`/proc/self/task/\${id}/comm\`, "utf8").trim());
    console.log(names.filter((name) => name === "libuv-worker").length);
  });`;

function threads(environment: Record<string, string>): number {
  const { UV_THREADPOOL_SIZE: _, ...rest } = process.env;
  const out = execFileSync(process.execPath, ["--input-type=module", "-e", PROGRAM], {
    env: { ...rest, ...environment },
  });
  return Number(out.toString());
}

test("fitThreadPool: a thread for each processor, or what the environment says", () => {
  assert.equal(threads({}), Math.max(2, Math.min(availableParallelism(), 8)));
  assert.equal(threads({ UV_THREADPOOL_SIZE: "5" }), 5);
});
