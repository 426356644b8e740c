// Tries again what may work the next time: broken connections, overloaded registries. Waits longer each time, with jitter,
// so that many clients do not come back at once; a Retry-After that is not too long is obeyed.

import { isTeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";

import { isTransient } from "./network-error.ts";

/** How patient a client is. Milliseconds. */
export interface RetryPolicy {
  /** Tries in all. */
  readonly attempts: number;
  /** Before the second try; tripled from then on. */
  readonly delay: number;
  /** The longest wait, also when the registry asks for more: then the error is reported at once. */
  readonly longest: number;
}

/** Five tries within about ten seconds. */
export const DEFAULT_RETRY: RetryPolicy = { attempts: 5, delay: 200, longest: 30_000 };

/** Runs `attempt` until it works, fails for good, or tries are used up. */
export async function withRetry<T>(
  scope: Scope,
  policy: RetryPolicy,
  attempt: (tried: number) => Promise<T>,
): Promise<T> {
  for (let tried = 0; ; tried++) {
    try {
      return await attempt(tried);
    } catch (error) {
      if (tried + 1 >= policy.attempts || !isTransient(error)) throw error;
      const wait = waitBefore(policy, tried, error);
      if (wait === null) throw error;
      scope.log.debug("trying again", { wait, error: String(error) });
      await pause(scope, wait);
    }
  }
}

/** Milliseconds before the next try; null when it would be too long to wait. */
export function waitBefore(policy: RetryPolicy, tried: number, error: unknown): number | null {
  const asked = isTeuError(error) ? error.detail["retryAfter"] : undefined;
  if (typeof asked === "number") return asked * 1000 > policy.longest ? null : asked * 1000 + Math.random() * 100;
  const backoff = Math.min(policy.delay * 3 ** tried, policy.longest);
  return backoff / 2 + (Math.random() * backoff) / 2;
}

/** Waits. @throws TeuError `cancelled`, `timeout` when the scope ends first. */
export async function pause(scope: Scope, milliseconds: number): Promise<void> {
  scope.check("wait");
  await new Promise<void>((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      scope.signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    scope.signal.addEventListener("abort", end);
  });
  scope.check("wait");
}
