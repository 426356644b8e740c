// A scope: signal, deadline, log, clock and randomness, carried as one value through everything that can wait (Node side).
// Kernel-side programs are synchronous and do not use it.

import { TeuError } from "./errors.ts";

/** Where messages go. `fields` are structured facts. */
export interface Log {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** A log that drops everything: the default of a library. */
export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {} };

/** First argument of whatever can wait. Values are immutable; `with...` makes a narrower one. */
export interface Scope {
  /** Aborted on cancellation and at the deadline. */
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Milliseconds since 1970; tests hold it still. */
  now(): number;
  /** A scope that also ends after `milliseconds`. */
  withTimeout(milliseconds: number): Scope;
  /** A scope that also ends with `signal`. */
  withSignal(signal: AbortSignal): Scope;
  withLog(log: Log): Scope;
  /** Throws `cancelled` or `timeout` when ended. */
  check(op: string): void;
}

/** What a root scope can be given; everything has a sane default. */
export interface ScopeOptions {
  readonly signal?: AbortSignal;
  readonly log?: Log;
  readonly now?: () => number;
}

/** Makes a root scope: one per command, request or test. */
export function createScope(options: ScopeOptions = {}): Scope {
  const signal = options.signal ?? new AbortController().signal;
  const log = options.log ?? silentLog;
  const now = options.now ?? Date.now;
  return {
    signal,
    log,
    now,
    withTimeout: (milliseconds) =>
      createScope({ signal: AbortSignal.any([signal, AbortSignal.timeout(milliseconds)]), log, now }),
    withSignal: (other) => createScope({ signal: AbortSignal.any([signal, other]), log, now }),
    withLog: (other) => createScope({ signal, log: other, now }),
    check: (op) => {
      if (signal.aborted) throw endedError(op, signal.reason);
    },
  };
}

/**
 * Patience for tidying up that removes directory trees, milliseconds: whoever filled one chose how many entries it has, and a busy
 * disk takes more than a millisecond for each directory.
 */
export const REMOVAL_PATIENCE = 600_000;

/**
 * A scope for tidying up after `scope` ended: same log and clock, its own deadline (default 10 s),
 * so that a cancelled operation still leaves nothing behind.
 */
export function cleanupScope(scope: Scope, milliseconds = 10_000): Scope {
  return createScope({ log: scope.log, now: () => scope.now(), signal: AbortSignal.timeout(milliseconds) });
}

/** The error for an ended signal: `timeout` when a deadline did it, else `cancelled`. */
export function endedError(op: string, reason: unknown): TeuError {
  const timedOut = reason instanceof Error && reason.name === "TimeoutError";
  return timedOut
    ? new TeuError({ code: "timeout", op, message: "deadline passed", cause: reason })
    : new TeuError({ code: "cancelled", op, message: "cancelled" });
}
