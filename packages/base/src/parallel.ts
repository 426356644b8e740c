// Runs tasks a few at a time; the first failure cancels the others, and is what the caller gets.

import type { Scope } from "./scope.ts";

/** Runs `task` for every item, at most `limit` at once, and waits until none is running any more. */
export async function inParallel<T>(
  scope: Scope,
  items: readonly T[],
  limit: number,
  task: (scope: Scope, item: T) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const inner = scope.withSignal(stop.signal);
  const queue = [...items];
  let failed: { readonly error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined && failed === undefined; item = queue.shift()) {
      try {
        await task(inner, item);
      } catch (error) {
        failed ??= { error };
        stop.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  if (failed !== undefined) throw failed.error;
}
