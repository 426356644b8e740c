// Standard streams of one process, container or exec: pipes or a pty. Makes both ends, gives one to the runtime, pumps the other.
// portable: no host types here.

import { O_CLOEXEC, O_NONBLOCK } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { EventLoop } from "../loop/event-loop.ts";
import { suspend } from "../loop/task.ts";
import type { Task } from "../loop/task.ts";
import type { Stdio } from "../process/run-program.ts";
import { ConsoleSocket, openPeer } from "./console-socket.ts";
import { InputWriter } from "./input-writer.ts";
import { OutputPump } from "./output-pump.ts";

/** Where a process writes. */
export type OutputName = "stdout" | "stderr";

/** What streams are wanted. */
export interface ProcessIoOptions {
  readonly kernel: Kernel;
  readonly loop: EventLoop;
  readonly terminal: boolean;
  readonly stdin: boolean;
  /** False: /dev/null. With a terminal there is always stdout. */
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly nullFd: number;
  readonly runDir: string;
  readonly runDirFd: number;
  /** Name of the console socket below the run directory. */
  readonly consoleName: string;
}

const UNREAD_LIMIT = 16_384;
// How long output may go on after the process ended, when somebody else holds the stream.
const DRAIN_MS = 2_000;

/** Both ends of the streams. Order: `stdio`/`consolePath` to the runtime, `connect`, `drain`, `close`. */
export class ProcessIo {
  readonly #options: ProcessIoOptions;
  /** For the runtime; undefined with a terminal. */
  readonly stdio: Stdio | undefined;
  readonly #console: ConsoleSocket | undefined;
  #childFds: number[] = [];
  #ourFds: { input: number; outputs: [OutputName, number][] };
  #peer = -1;
  #master = -1;
  #input: InputWriter;
  #pumps: OutputPump[] = [];
  #onEnd: (() => void) | undefined;

  constructor(options: ProcessIoOptions) {
    const { kernel, loop, nullFd } = options;
    this.#options = options;
    this.#input = new InputWriter(kernel, loop, -1, true);
    this.#ourFds = { input: -1, outputs: [] };
    if (options.terminal) {
      this.#console = new ConsoleSocket(kernel, loop, { ...options, name: options.consoleName });
      return;
    }
    const stdin = options.stdin ? this.#pipe(0) : nullFd;
    const stdout = options.stdout ? this.#pipe(1, "stdout") : nullFd;
    const stderr = options.stderr ? this.#pipe(1, "stderr") : nullFd;
    this.stdio = [stdin, stdout, stderr];
  }

  /** For `--console-socket`; undefined without a terminal. */
  get consolePath(): string | undefined {
    return this.#console?.path;
  }

  get input(): InputWriter {
    return this.#input;
  }

  /** What was written to the streams and read by nobody, before `connect`: what a runtime that failed had to say. */
  unread(): string {
    const { kernel } = this.#options;
    let text = "";
    for (const [, fd] of this.#ourFds.outputs) {
      try {
        text += kernel.host.utf8Decode(kernel.fs.read(fd, UNREAD_LIMIT));
      } catch (error) {
        if (!isSysError(error, "EAGAIN")) throw error;
      }
    }
    return text;
  }

  /** After the runtime returned: lets go of the process's ends and begins to read. */
  *connect(sink: (name: OutputName, data: Uint8Array) => void): Task<void> {
    const { kernel, loop } = this.#options;
    this.#closeChildEnds();
    if (this.#console !== undefined) {
      this.#master = yield* this.#console.master();
      this.#console[Symbol.dispose]();
      this.#peer = openPeer(kernel, this.#master);
      this.#ourFds.outputs.push(["stdout", this.#master]);
      this.#input = new InputWriter(kernel, loop, this.#options.stdin ? this.#master : -1, false);
    } else {
      this.#input = new InputWriter(kernel, loop, this.#ourFds.input, true);
      this.#ourFds.input = -1;
    }
    const outputs = this.#ourFds.outputs;
    this.#ourFds = { input: -1, outputs: [] };
    this.#pumps = outputs.map(([name, fd]) => {
      const pump: OutputPump = new OutputPump(
        kernel,
        loop,
        fd,
        (data) => sink(name, data),
        () => this.#pumpEnded(),
      );
      return pump;
    });
  }

  /** No more reading for now: the process waits when its pipes are full. */
  pause(): void {
    for (const pump of this.#pumps) pump.pause();
  }

  resume(): void {
    for (const pump of this.#pumps) pump.resume();
  }

  /** Terminal size; nothing without a terminal. False when there is none. */
  resize(rows: number, columns: number): boolean {
    if (this.#master < 0) return false;
    this.#options.kernel.terminal.setSize(this.#master, rows, columns);
    return true;
  }

  /** After the process ended: reads to the end of all streams, or for two seconds when another process holds one. */
  *drain(): Task<void> {
    this.#closePeer();
    this.resume();
    if (this.#pumps.some((pump) => pump.open)) {
      yield* suspend<void>((settle) => {
        const timer = this.#options.loop.after(DRAIN_MS, () => settle.resolve(undefined));
        this.#onEnd = () => {
          timer.cancel();
          settle.resolve(undefined);
        };
      });
    }
    this.close();
  }

  /** Closes everything that is still open. */
  close(): void {
    this.#onEnd = undefined;
    this.#closeChildEnds();
    this.#console?.[Symbol.dispose]();
    this.#closePeer();
    this.#input.close();
    for (const pump of this.#pumps) pump.close();
    const { input, outputs } = this.#ourFds;
    for (const fd of [input, ...outputs.map(([, output]) => output)]) if (fd >= 0) this.#options.kernel.fs.close(fd);
    this.#ourFds = { input: -1, outputs: [] };
    this.#master = -1;
  }

  #pumpEnded(): void {
    if (this.#pumps.every((pump) => !pump.open)) {
      // The master was the pump's: its number may mean something else from now on.
      if (this.#master >= 0) this.#input.close();
      this.#master = -1;
      this.#onEnd?.();
    }
  }

  // The process's end of a new pipe: 0 the reading one (stdin), 1 the writing one.
  #pipe(childEnd: 0 | 1, name?: OutputName): number {
    const { fs } = this.#options.kernel;
    const ends = fs.pipe2(O_CLOEXEC | O_NONBLOCK);
    const child = ends[childEnd];
    const ours = ends[childEnd === 0 ? 1 : 0];
    fs.setNonblock(child, false);
    this.#childFds.push(child);
    if (name === undefined) this.#ourFds.input = ours;
    else this.#ourFds.outputs.push([name, ours]);
    return child;
  }

  #closeChildEnds(): void {
    for (const fd of this.#childFds) this.#options.kernel.fs.close(fd);
    this.#childFds = [];
  }

  #closePeer(): void {
    if (this.#peer >= 0) this.#options.kernel.fs.close(this.#peer);
    this.#peer = -1;
  }
}
