// Starting a daemon and ending this process, each at the price of its system calls. node:child_process forks (the page tables of a Node
// process: 3 ms) and loads node:net first (4 ms), process.exit takes V8 apart (4 ms).

import { isTeuError } from "@teu/base/errors";

import { attempt, filesAddon } from "./addon.ts";

/** How often a child that has not ended yet is looked for again, milliseconds. */
const COLLECT_PAUSE = 50;

/** A program that was started. */
export interface DetachedProgram {
  readonly pid: number;
  /** Read ends of the pipes at the program's descriptors 2, 3, ...; the caller's to close. */
  readonly pipes: readonly number[];
}

/** What to start. */
export interface DetachedOptions {
  /** Path of the program. */
  readonly program: string;
  /** Arguments behind the program's name. */
  readonly args: readonly string[];
  /** The whole environment; nothing of ours is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** How many descriptors from 2 on are pipes to us; stdin and stdout are /dev/null. */
  readonly pipes: number;
}

/**
 * Starts a program in a session of its own, in `/`, with default signals. Call `collectChild` once it is expected to have ended.
 * @throws TeuError by errno when it cannot be executed.
 */
export function spawnDetached(options: DetachedOptions): DetachedProgram {
  const { program, args, env, pipes } = options;
  const environment = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return attempt("start program", program, (addon) =>
    addon.spawnDetached(program, [program, ...args], environment, pipes),
  );
}

/** Collects a child once it has ended, so that no zombie stays: now, or later without keeping this process alive. */
export function collectChild(pid: number): void {
  if (attempt("collect child", `process ${pid}`, (addon) => addon.tryWaitpid(pid))) return;
  setTimeout(() => collectChild(pid), COLLECT_PAUSE).unref();
}

/**
 * Ends this process. What was to be written must have been written: no handler runs any more. Node's own way out joins V8's threads,
 * and was seen to wait for one for ever (a lost wake-up, probably glibc bug 25847): it is taken only without the addon.
 */
export function exitNow(code: number): never {
  try {
    filesAddon().exitNow(code);
  } catch (error) {
    if (!isTeuError(error, "unavailable")) throw error;
  }
  process.exit(code);
}
