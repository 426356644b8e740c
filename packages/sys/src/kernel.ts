// The kernel as one value: what the kernel-side programs are given instead of importing `sys:*` themselves.
// The real one is made in `real.ts` (inside the host only); `fake/` makes one in memory; `transcript/` wraps one.
// portable: no host types here.

/// <reference path="./contract/index.d.ts" />

/**
 * What only simulated kernels have (fake, dry run). There `clone3` returns once, to the parent, and the caller plays the child
 * itself between `enter(child)` and `enter(parent)`; a call that would not return throws an end instead.
 */
export interface Simulation {
  /** Acts as process `pid` from now on; returns who acted before. */
  enter(pid: number): number;
  /** Was this thrown because the acting process exited or became another program? */
  isEnd(error: unknown): boolean;
  /** Process `pid` waits; `resume` plays it on when what it waits for comes. null: it waits no more. */
  park(pid: number, resume: (() => void) | null): void;
}

/** Every `sys:*` module under its name. Passed as first argument to whatever touches the kernel. */
export interface Kernel {
  readonly process: typeof import("sys:process");
  readonly capability: typeof import("sys:capability");
  readonly namespace: typeof import("sys:namespace");
  readonly mount: typeof import("sys:mount");
  readonly fs: typeof import("sys:fs");
  readonly socket: typeof import("sys:socket");
  readonly terminal: typeof import("sys:terminal");
  readonly poll: typeof import("sys:poll");
  readonly seccomp: typeof import("sys:seccomp");
  readonly bpf: typeof import("sys:bpf");
  readonly host: typeof import("sys:host");
  readonly simulation?: Simulation;
  /** Told which step begins (transcript/timings.ts); only there when somebody measures. */
  readonly step?: (name: string) => void;
}
