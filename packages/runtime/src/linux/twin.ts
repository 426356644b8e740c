// The pair of processes that makes a container: the runtime, and its child that becomes the container's first process.
// The child is a generator that yields wherever it must wait for the parent. On the real kernel both run after clone3, with a socket
// between them; on a simulated kernel (tests, --explain) the parent resumes the generator itself, so that one transcript shows both.
// portable: no host types here.

import { TeuError, type TeuErrorJson, errorText, fromJson, isTeuError } from "@teu/base/errors";
import { CLOSE_RANGE_ALL, O_CLOEXEC } from "@teu/sys/constants/fs";
import { CLONE_PARENT } from "@teu/sys/constants/process";
import { SOCK_SEQPACKET } from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";

/** Where the child is; it goes on after the parent's `resume`. */
export interface ChildMessage {
  /** "listener": the number under which it is about to get its seccomp notify fd. */
  readonly fd?: number;
  readonly step: "cgroups" | "maps" | "devices" | "listener" | "hooks" | "ready";
}

/** The child's ear and mouth. */
export interface ChildChannel {
  /** Where an error is told; changed once a created container is started by another command. */
  errorFd: number;
  /** The child's pid as the host sees it, known after the first answer of the parent. */
  hostPid: number;
  /** What the parent's last answer said besides; "" mostly. */
  note: string;
}

/** The child's program: it never returns, but ends in execve. */
export type ChildProgram = (channel: ChildChannel) => Generator<ChildMessage, void, void>;

type CloneOptions = Parameters<Kernel["process"]["clone3"]>[0];

const MESSAGE_LIMIT = 64 << 10;

/** The parent's hold on the child. */
export class Twin {
  readonly pid: number;
  /** Owned by the twin; closed by `close`. */
  readonly pidfd: number;
  readonly #kernel: Kernel;
  readonly #socket: number;
  /** Simulated kernels only. */
  readonly #child: SimulatedChild | null;

  private constructor(kernel: Kernel, pid: number, pidfd: number, socket: number, child: SimulatedChild | null) {
    this.#kernel = kernel;
    this.pid = pid;
    this.pidfd = pidfd;
    this.#socket = socket;
    this.#child = child;
  }

  /**
   * Clones. In the child this call does not return, and only 0, 1, 2, the channel and `keep` stay open: whatever else the parent
   * holds (its lock, directories of the host) must not be seen from inside, nor outlive the parent.
   */
  static start(kernel: Kernel, options: CloneOptions, keep: readonly number[], program: ChildProgram): Twin {
    const { fs, process, simulation } = kernel;
    insistOnSeal(kernel);
    const [mine, theirs] = kernel.socket.socketpair(SOCK_SEQPACKET);
    const { pid, pidfd } = process.clone3(options);
    if (pid === 0) {
      closeAllBut(kernel, [0, 1, 2, theirs, ...keep]);
      process.setTitle("teu-init");
      runChild(kernel, theirs, program);
    }
    if (simulation !== undefined)
      return new Twin(
        kernel,
        pid,
        pidfd,
        mine,
        simulateChild(kernel, pid, [0, 1, 2, theirs, ...keep], theirs, program),
      );
    fs.close(theirs);
    return new Twin(kernel, pid, pidfd, mine, null);
  }

  /**
   * The same for namespaces that can only be entered together with their user namespace, from which there is no way back: a process
   * in between goes there (`enter`), clones the child as this process's own, and ends.
   */
  static startThrough(
    kernel: Kernel,
    options: CloneOptions,
    keep: readonly number[],
    enter: () => void,
    program: ChildProgram,
  ): Twin {
    const { fs, process, simulation } = kernel;
    insistOnSeal(kernel);
    const [mine, theirs] = kernel.socket.socketpair(SOCK_SEQPACKET);
    const [answer, tell] = fs.pipe2(O_CLOEXEC);
    const inherited = [0, 1, 2, theirs, ...keep];
    const own = [tell, ...(options.cgroupFd === undefined ? [] : [options.cgroupFd])];
    const passOn = (): void => {
      try {
        closeAllBut(kernel, [...own, ...inherited]);
        enter();
        const { pid } = process.clone3({ ...options, flags: options.flags | CLONE_PARENT, exitSignal: 0 });
        if (pid === 0) {
          for (const fd of own) fs.close(fd);
          process.setTitle("teu-init");
          runChild(kernel, theirs, program);
        }
        fs.write(tell, String(pid));
      } catch (error) {
        if (simulation?.isEnd(error) === true) throw error;
        reportError(kernel, tell, error);
      }
      process.exit(0);
    };
    const between = process.clone3({ flags: 0 });
    if (between.pid === 0) passOn();
    playThrough(kernel, between.pid, passOn);
    fs.close(tell);
    const text = kernel.host.utf8Decode(fs.read(answer, MESSAGE_LIMIT));
    process.waitpid(between.pid, 0);
    for (const fd of [answer, between.pidfd]) fs.close(fd);
    if (!/^\d+$/.test(text)) {
      for (const fd of [mine, theirs]) fs.close(fd);
      throw text === ""
        ? new TeuError({ code: "internal", op: "enter container", message: "the process in between ended" })
        : fromJson((JSON.parse(text) as { error: TeuErrorJson }).error);
    }
    const pid = Number(text);
    const pidfd = process.pidfdOpen(pid, 0);
    if (simulation !== undefined)
      return new Twin(kernel, pid, pidfd, mine, simulateChild(kernel, pid, inherited, theirs, program));
    fs.close(theirs);
    return new Twin(kernel, pid, pidfd, mine, null);
  }

  /** Waits for the child's next message; null when it became its program. Throws the child's error, or `internal` when it died. */
  receive(): ChildMessage | null {
    if (this.#child !== null) return this.#child.next();
    const data = this.#read();
    if (data.length === 0) return null;
    const message = JSON.parse(this.#kernel.host.utf8Decode(data)) as ChildMessage | { readonly error: TeuErrorJson };
    if ("error" in message) throw fromJson(message.error);
    return message;
  }

  #read(): Uint8Array {
    const { fs } = this.#kernel;
    try {
      return fs.read(this.#socket, MESSAGE_LIMIT);
    } catch (error) {
      // A child that ends with an answer unread: the kernel tells of that first, once, and then what the child had to say.
      if (!isSysError(error, "ECONNRESET")) throw error;
      return fs.read(this.#socket, MESSAGE_LIMIT);
    }
  }

  /** Lets the child go on; `note` is for its `ChildChannel`. */
  resume(note = ""): void {
    if (this.#child === null) this.#answer(note);
    else {
      this.#child.note(note);
      this.#child.park();
    }
  }

  /** The same when something is to be done with the child on its way, before it is listened to again. */
  goOn(): void {
    if (this.#child === null) this.#answer("");
    else this.#child.playAhead();
  }

  /** Answers the child's first message before it comes, so that the child need not wait; `note` is for its `ChildChannel`. */
  resumeAhead(note: string): void {
    if (this.#child !== null) return this.#child.note(note);
    try {
      this.#answer(note);
    } catch (error) {
      // It has ended already; what it had to say about that is still there to be received.
      if (!isSysError(error, "EPIPE")) throw error;
    }
  }

  #answer(note: string): void {
    try {
      this.#kernel.fs.write(this.#socket, note === "" ? String(this.pid) : `${this.pid} ${note}`);
    } catch (error) {
      // It has failed before it came to ask: `receive` has its error, which is the one to tell.
      if (!isSysError(error, "EPIPE")) throw error;
    }
  }

  /** Ends the channel: a child that still waits exits. */
  close(): void {
    this.#kernel.fs.close(this.#socket);
    this.#kernel.fs.close(this.pidfd);
  }
}

function insistOnSeal({ process }: Kernel): void {
  if (process.imageSealed()) return;
  throw new TeuError({
    code: "denied",
    op: "enter container",
    message: "this program runs from a file that the container could overwrite (CVE-2019-5736)",
  });
}

/** Simulated kernels only: plays process `pid` to its end. */
function playThrough({ simulation }: Kernel, pid: number, act: () => void): void {
  if (simulation === undefined) return;
  const parent = simulation.enter(pid);
  try {
    act();
  } catch (error) {
    if (!simulation.isEnd(error)) throw error;
  } finally {
    simulation.enter(parent);
  }
}

interface SimulatedChild {
  /** Plays the child to its next message; null at its end. Its errors are thrown here. */
  next(): ChildMessage | null;
  /** Plays it there already; `next` then tells. */
  playAhead(): void;
  /** The child goes on when what it waits for comes; its errors then go where it tells them. */
  park(): void;
  /** Tells it something. */
  note(text: string): void;
}

function simulateChild(
  kernel: Kernel,
  pid: number,
  keep: readonly number[],
  socket: number,
  program: ChildProgram,
): SimulatedChild {
  const { simulation, fs } = kernel;
  const channel = { errorFd: socket, hostPid: pid, note: "" };
  const child = program(channel);
  const play = <T>(act: () => T): T | null => {
    const parent = simulation?.enter(pid) ?? 0;
    try {
      return act();
    } catch (error) {
      if (simulation?.isEnd(error) === true) return null;
      throw error;
    } finally {
      simulation?.enter(parent);
    }
  };
  play(() => closeAllBut(kernel, keep));
  fs.close(socket);
  const advance = (): ChildMessage | null => {
    const { value, done } = child.next();
    return done === true ? null : value;
  };
  let ahead: (() => ChildMessage | null) | null = null;
  return {
    playAhead: () => {
      try {
        const message = play(advance);
        ahead = () => message;
      } catch (error) {
        ahead = () => {
          throw error;
        };
      }
    },
    note: (text) => void (channel.note = text),
    next: () => {
      const known = ahead;
      ahead = null;
      if (known !== null) return known();
      simulation?.park(pid, null);
      return play(advance);
    },
    park: () =>
      simulation?.park(pid, () => {
        play(() => {
          try {
            advance();
          } catch (error) {
            if (simulation.isEnd(error)) throw error;
            reportError(kernel, channel.errorFd, error);
            kernel.process.exit(1);
          }
        });
      }),
  };
}

/** Closes the gaps between the fds to keep. */
function closeAllBut(kernel: Kernel, keep: readonly number[]): void {
  let next = 0;
  for (const fd of keep.filter((one) => one >= 0).sort((a, b) => a - b)) {
    if (fd > next) kernel.fs.closeRange(next, fd - 1, 0);
    next = Math.max(next, fd + 1);
  }
  kernel.fs.closeRange(next, CLOSE_RANGE_ALL, 0);
}

function runChild(kernel: Kernel, socket: number, program: ChildProgram): never {
  const { fs, process } = kernel;
  const channel = { errorFd: socket, hostPid: 0, note: "" };
  try {
    for (const message of program(channel)) {
      fs.write(socket, JSON.stringify(message));
      const answer = fs.read(socket, MESSAGE_LIMIT);
      // No answer: the parent is gone or has given up.
      if (answer.length === 0) process.exit(1);
      const text = kernel.host.utf8Decode(answer);
      channel.hostPid = Number.parseInt(text, 10);
      channel.note = text.slice(String(channel.hostPid).length + 1);
    }
  } catch (error) {
    reportError(kernel, channel.errorFd, error);
  }
  return process.exit(1);
}

/** Writes an error for `receive` (or whoever reads the fd). */
export function reportError(kernel: Kernel, fd: number, error: unknown): void {
  const known = isTeuError(error)
    ? error
    : new TeuError({ code: "internal", op: "set up container", message: errorText(error) });
  try {
    kernel.fs.write(fd, JSON.stringify({ error: flat(known) }));
  } catch {
    // Nobody listens any more; the exit status is all that is left to say.
  }
}

/** Causes become text, and the text fits into one message. */
function flat(error: TeuError): TeuErrorJson {
  const json = error.toJSON();
  return {
    ...json,
    message: json.message.slice(0, 8192),
    ...(json.cause === undefined ? {} : { cause: json.cause.slice(0, 8192) }),
  };
}
