// Runs the runtime: one bounded process for each verb, its log read and removed, its failure turned into a `TeuError`.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_FDCWD } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import { removeFile } from "../lifecycle/durable-file.ts";
import type { Task } from "../loop/task.ts";
import { runProgram } from "../process/run-program.ts";
import type { ProgramHost, Stdio } from "../process/run-program.ts";
import type { ShimConfig } from "../protocol.ts";
import {
  createArguments,
  deleteArguments,
  execArguments,
  globalArguments,
  killArguments,
} from "./runtime-arguments.ts";
import { runtimeError } from "./runtime-error.ts";
import type { RuntimeResult } from "./runtime-error.ts";

/** What the client stands on. */
export interface RuntimeClientOptions extends ProgramHost {
  readonly config: ShimConfig;
}

/** The streams of a process to be, as far as the runtime is concerned. */
export interface ProcessEnds {
  /** Undefined with a terminal. */
  readonly stdio: Stdio | undefined;
  /** Undefined without one. */
  readonly consolePath: string | undefined;
  /** What lies in the streams: the words of a runtime that failed before the process was there. */
  unread(): string;
}

// The start of a container may pull in devices, hooks and swap; a signal may not.
const SLOW_MS = 120_000;
const QUICK_MS = 30_000;
const FILE_LIMIT = 1 << 20;

/** One container's runtime. Every method throws `TeuError`: see `runtimeError`; `timeout` when it was killed for being late. */
export class RuntimeClient {
  readonly #options: RuntimeClientOptions;
  readonly #env: readonly string[];
  #calls = 0;

  constructor(options: RuntimeClientOptions) {
    this.#options = options;
    // sd_notify and socket activation are meant for whoever started the engine.
    this.#env = options.kernel.process
      .environ()
      .filter((entry) => !/^(NOTIFY_SOCKET|LISTEN_PID|LISTEN_FDS|LISTEN_FDNAMES)=/.test(entry));
  }

  /** Creates the container with the streams of `io`; returns init's pid. */
  *create(io: ProcessEnds): Task<number> {
    const { id, bundle, runDir } = this.#options.config;
    const pidFile = `${runDir}/init.pid`;
    removeFile(this.#options.kernel, pidFile);
    yield* this.#call(createArguments({ id, bundle, pidFile, consoleSocket: io.consolePath }), {
      io,
      milliseconds: SLOW_MS,
    });
    return this.#readPid(pidFile, "create");
  }

  *start(): Task<void> {
    yield* this.#call(["start", this.#options.config.id], { milliseconds: SLOW_MS });
  }

  *kill(signal: number, all: boolean): Task<void> {
    yield* this.#call(killArguments(this.#options.config.id, signal, all), { milliseconds: QUICK_MS });
  }

  *pause(): Task<void> {
    yield* this.#call(["pause", this.#options.config.id], { milliseconds: QUICK_MS });
  }

  *resume(): Task<void> {
    yield* this.#call(["resume", this.#options.config.id], { milliseconds: QUICK_MS });
  }

  /** Removes what the runtime keeps; one that is unknown already is fine. `force`: kills it first. */
  *delete(force: boolean): Task<void> {
    try {
      yield* this.#call(deleteArguments(this.#options.config.id, force), { milliseconds: QUICK_MS });
    } catch (error) {
      if (!(error instanceof TeuError) || error.code !== "not-found") throw error;
    }
  }

  /** Starts the process described in `processFile`; returns its pid. `pidFile` is removed again. */
  *exec(processFile: string, pidFile: string, io: ProcessEnds): Task<number> {
    const { id } = this.#options.config;
    try {
      const args = execArguments({ id, processFile, pidFile, consoleSocket: io.consolePath });
      yield* this.#call(args, { io, milliseconds: SLOW_MS });
      return this.#readPid(pidFile, "exec");
    } finally {
      removeFile(this.#options.kernel, pidFile);
    }
  }

  #readPid(path: string, verb: string): number {
    const text = this.#options.kernel.fs.readTextAt(AT_FDCWD, path, 64);
    const pid = Number(text.trim());
    if (Number.isSafeInteger(pid) && pid > 1) return pid;
    throw new TeuError({
      code: "internal",
      op: `${verb} container`,
      message: `the runtime's pid file says ${JSON.stringify(text)}`,
    });
  }

  *#call(args: readonly string[], how: { io?: ProcessEnds; milliseconds: number }): Task<void> {
    const { kernel, config } = this.#options;
    const log = `${config.runDir}/runtime-${this.#calls++}.json`;
    const argv = [
      config.runtime.path,
      ...globalArguments({ root: config.runtime.root, args: config.runtime.args, log }),
      ...args,
    ];
    const verb = args[0] ?? "";
    try {
      const program = {
        op: `${verb} container`,
        path: config.runtime.path,
        argv,
        env: this.#env,
        milliseconds: how.milliseconds,
        stdio: how.io?.stdio,
      };
      const { ending, output } = yield* runProgram(this.#options, program);
      if (ending.code === 0) return;
      const result: RuntimeResult = {
        code: ending.code,
        output: how.io?.stdio === undefined ? output : how.io.unread(),
        log: readOptional(kernel, log),
      };
      throw runtimeError(verb, config.id, result);
    } finally {
      removeFile(kernel, log);
    }
  }
}

function readOptional(kernel: Kernel, path: string): string {
  try {
    return kernel.fs.readTextAt(AT_FDCWD, path, FILE_LIMIT);
  } catch (error) {
    if (isSysError(error)) return "";
    throw error;
  }
}
