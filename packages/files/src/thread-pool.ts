// How many threads libuv's pool has. It hashes, unpacks and writes files without waiting for anything, so that more threads than
// processors only take turns: with libuv's four on two processors, unpacking a layer takes a tenth longer.

import { availableParallelism } from "node:os";

/** More than one image has work for. */
const MOST = 8;
/** libuv's own. */
let threads = 4;

/**
 * Gives this process as many threads as there are processors, from two to eight, unless UV_THREADPOOL_SIZE says something. Of no effect after
 * the pool's first use. Not for servers, where threads wait for disks.
 */
export function fitThreadPool(environment: NodeJS.ProcessEnv): void {
  environment["UV_THREADPOOL_SIZE"] ??= String(Math.max(2, Math.min(availableParallelism(), MOST)));
  threads = Number.parseInt(environment["UV_THREADPOOL_SIZE"], 10) || threads;
}

/** Threads of the pool, as far as this process has been told. */
export function poolThreads(): number {
  return threads;
}
