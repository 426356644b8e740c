// Tasks: sequential code over the event loop, as generators. `yield*` waits; try/finally tidies up. No promises, so that the
// host needs no job queue and a test sees every step in order.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import type { EventLoop } from "./event-loop.ts";

/** What a task yields: it is given the function that resumes the task. */
export type Park = (wake: () => void) => void;

/** Code that may wait for the loop; run by `runTask` or by `yield*` in another. */
export type Task<T> = Generator<Park, T, undefined>;

/** How a suspended task goes on; only the first call counts. */
export interface Settle<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/** Runs `task` until it first waits; `done` or `failed` is called at its end, maybe at once. */
export function runTask<T>(task: Task<T>, done: (value: T) => void, failed: (error: unknown) => void): void {
  const step = (): void => {
    let result: IteratorResult<Park, T>;
    try {
      result = task.next();
    } catch (error) {
      failed(error);
      return;
    }
    if (result.done === true) done(result.value);
    else result.value(step);
  };
  step();
}

/** Waits until what `register` was given is called. */
export function* suspend<T>(register: (settle: Settle<T>) => void): Task<T> {
  const state: { outcome?: { value: T } | { error: unknown }; wake?: () => void } = {};
  const settle = (outcome: { value: T } | { error: unknown }): void => {
    if (state.outcome !== undefined) return;
    state.outcome = outcome;
    state.wake?.();
  };
  register({ resolve: (value) => settle({ value }), reject: (error) => settle({ error }) });
  if (state.outcome === undefined) {
    yield (wake) => {
      state.wake = wake;
    };
  }
  const outcome = state.outcome as { value: T } | { error: unknown };
  if ("error" in outcome) throw outcome.error;
  return outcome.value;
}

/** Waits. */
export function sleep(loop: EventLoop, milliseconds: number): Task<void> {
  return suspend((settle) => void loop.after(milliseconds, () => settle.resolve(undefined)));
}

/**
 * `suspend` with a bound.
 * @throws TeuError `timeout` with `op` and `what` is awaited.
 */
export function* suspendFor<T>(
  loop: EventLoop,
  limit: { readonly milliseconds: number; readonly op: string; readonly what: string },
  register: (settle: Settle<T>) => void,
): Task<T> {
  return yield* suspend<T>((settle) => {
    const timer = loop.after(limit.milliseconds, () => {
      const message = `no ${limit.what} within ${limit.milliseconds} ms`;
      settle.reject(new TeuError({ code: "timeout", op: limit.op, message }));
    });
    register({
      resolve: (value) => {
        timer.cancel();
        settle.resolve(value);
      },
      reject: (error) => {
        timer.cancel();
        settle.reject(error);
      },
    });
  });
}
