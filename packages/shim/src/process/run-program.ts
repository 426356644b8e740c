// Runs one short-lived program to its end, bounded in time, and keeps what it printed.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { O_CLOEXEC, O_NONBLOCK } from "@teu/sys/constants/fs";
import { SIGKILL } from "@teu/sys/constants/process";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { EventLoop } from "../loop/event-loop.ts";
import { suspend } from "../loop/task.ts";
import type { Task } from "../loop/task.ts";
import { OutputCapture } from "./output-capture.ts";
import type { Ending, Reaper } from "./reaper.ts";

/** stdin, stdout and stderr of a process, by descriptor. */
export type Stdio = readonly [number, number, number];

/** What runs programs. */
export interface ProgramHost {
  readonly kernel: Kernel;
  readonly loop: EventLoop;
  readonly reaper: Reaper;
  /** A descriptor of /dev/null, read and write. */
  readonly nullFd: number;
}

/** What to run. */
export interface Program {
  /** For errors: "create container". */
  readonly op: string;
  readonly path: string;
  /** With argv[0]. */
  readonly argv: readonly string[];
  readonly env: readonly string[];
  readonly milliseconds: number;
  /** Stdin; default /dev/null. */
  readonly input?: number | undefined;
  /** All three streams; then nothing is captured. */
  readonly stdio?: Stdio | undefined;
}

/** How it ended. */
export interface ProgramResult {
  readonly ending: Ending;
  /** stdout and stderr, at most some 64 KiB; "" with `stdio`. */
  readonly output: string;
}

/**
 * Runs it; it dies with the shim (PDEATHSIG), as under containerd.
 * @throws TeuError `not-found` or `denied` when it cannot be started, `timeout` when it was killed for being late.
 */
export function* runProgram(host: ProgramHost, program: Program): Task<ProgramResult> {
  const { kernel, loop, reaper } = host;
  const { child, capture } = begin(host, program);
  let late = false;
  const timer = loop.after(program.milliseconds, () => {
    late = true;
    kernel.process.pidfdSendSignal(child.pidfd, SIGKILL);
  });
  const ending = yield* suspend<Ending>((settle) => reaper.watch(child.pid, settle.resolve));
  timer.cancel();
  kernel.fs.close(child.pidfd);
  const output = capture?.close() ?? "";
  if (!late) return { ending, output };
  const message = `no end within ${program.milliseconds} ms, killed`;
  throw new TeuError({ code: "timeout", op: program.op, subject: program.path, message });
}

function begin(
  host: ProgramHost,
  program: Program,
): { child: { pid: number; pidfd: number }; capture: OutputCapture | undefined } {
  const { kernel, loop, nullFd } = host;
  const pipe = program.stdio === undefined ? kernel.fs.pipe2(O_CLOEXEC | O_NONBLOCK) : undefined;
  // Only our side is nonblocking: the other is any program's stdout.
  if (pipe !== undefined) kernel.fs.setNonblock(pipe[1], false);
  const capture = pipe === undefined ? undefined : new OutputCapture(kernel, loop, pipe[0]);
  const writing = pipe?.[1] ?? nullFd;
  try {
    const fds = program.stdio ?? [program.input ?? nullFd, writing, writing];
    const child = kernel.process.spawn({
      path: program.path,
      argv: program.argv,
      env: program.env,
      fds,
      deathSignal: SIGKILL,
    });
    return { child, capture };
  } catch (error) {
    capture?.close();
    throw startError(program, error);
  } finally {
    if (pipe !== undefined) kernel.fs.close(pipe[1]);
  }
}

function startError(program: Program, error: unknown): unknown {
  if (!isSysError(error)) return error;
  const missing = error.errno === "ENOENT";
  const message = missing ? "there is no such program" : error.message;
  return new TeuError({ code: missing ? "not-found" : "denied", op: program.op, subject: program.path, message });
}
