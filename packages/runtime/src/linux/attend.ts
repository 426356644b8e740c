// Stays with a process in the foreground: forwards every signal, relays a terminal when there is one, and returns the exit code.
// portable: no host types here.

import { EXIT_SIGNALED_BASE, SIGCHLD, SIGURG, SIGWINCH, WNOHANG } from "@teu/sys/constants/process";
import { POLLIN } from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import { relayReady } from "./notify-socket.ts";

/** HUP INT QUIT USR1 USR2 TERM CHLD CONT TSTP TTIN TTOU WINCH and the like: all that can be caught but faults and what the shell owns. */
const FORWARDED: readonly number[] = [1, 2, 3, 10, 12, 15, SIGCHLD, 18, SIGWINCH, 29, 30];

const TOKEN_SIGNAL = 0;
const TOKEN_STDIN = 1;
const TOKEN_MASTER = 2;
const TOKEN_NOTIFY = 3;
const CHUNK = 32 << 10;

/** Where the container tells that it is ready, and who wants to know. */
export interface Notify {
  readonly socket: number;
  readonly host: string;
}

/** Waits for `pid`. `consoleSocket`: where the terminal's master arrives, or -1. Returns its exit status, or 128 + signal. */
export function attend(
  kernel: Kernel,
  pid: number,
  pidfd: number,
  consoleSocket: number,
  notify: Notify | null = null,
): number {
  const { fs, poll } = kernel;
  const signals = poll.signalfd(FORWARDED);
  const epoll = poll.create();
  const relay = consoleSocket < 0 ? null : startRelay(kernel, epoll, consoleSocket);
  try {
    poll.add(epoll, signals, POLLIN, TOKEN_SIGNAL);
    if (notify !== null) poll.add(epoll, notify.socket, POLLIN, TOKEN_NOTIFY);
    // It may have ended before the signalfd was there to see it.
    let code = exitCode(kernel, pid, WNOHANG);
    while (code === null) {
      for (const { token } of poll.wait(epoll, -1)) {
        if (token === TOKEN_SIGNAL) code = takeSignals(kernel, signals, pid, pidfd, relay) ?? code;
        else if (token === TOKEN_NOTIFY && notify !== null) {
          // Not waited for: this process, by which systemd knows the unit, stays.
          if (relayReady(kernel, notify.socket, notify.host, pid, false)) poll.remove(epoll, notify.socket);
        } else if (relay !== null) relay.pump(token);
      }
    }
    relay?.drain();
    return code;
  } finally {
    relay?.close();
    for (const fd of [signals, epoll, pidfd]) fs.close(fd);
    if (notify !== null) fs.close(notify.socket);
  }
}

/** Exit code of `pid` when it has ended; other children (reparented ones) are reaped on the way. */
function exitCode(kernel: Kernel, pid: number, options: number): number | null {
  for (;;) {
    let status: ReturnType<Kernel["process"]["waitpid"]>;
    try {
      status = kernel.process.waitpid(options === 0 ? pid : -1, options);
    } catch (error) {
      if (isSysError(error, "ECHILD")) return 0;
      throw error;
    }
    if (status === null) return null;
    if (status.pid === pid) return status.kind === "signaled" ? EXIT_SIGNALED_BASE + status.code : status.code;
  }
}

function takeSignals(kernel: Kernel, fd: number, pid: number, pidfd: number, relay: Relay | null): number | null {
  let code: number | null = null;
  for (let info = kernel.poll.readSignal(fd); info !== null; info = kernel.poll.readSignal(fd)) {
    if (info.signal === SIGCHLD) code = exitCode(kernel, pid, WNOHANG) ?? code;
    else if (info.signal === SIGWINCH && relay !== null) relay.resize();
    else if (info.signal !== SIGURG && code === null) forward(kernel, pidfd, info.signal);
  }
  return code;
}

function forward(kernel: Kernel, pidfd: number, signal: number): void {
  try {
    kernel.process.pidfdSendSignal(pidfd, signal);
  } catch (error) {
    if (!isSysError(error, "ESRCH")) throw error;
  }
}

interface Relay {
  pump(token: number): void;
  resize(): void;
  drain(): void;
  close(): void;
}

function startRelay(kernel: Kernel, epoll: number, consoleSocket: number): Relay {
  const { fs, poll, terminal } = kernel;
  const master = kernel.socket.receiveMessage(consoleSocket, 4096).fds[0] ?? -1;
  fs.close(consoleSocket);
  const own = terminal.isTerminal(0);
  const saved = own ? terminal.makeRaw(0) : null;
  const resize = (): void => {
    if (!own) return;
    const { rows, columns } = terminal.getSize(0);
    terminal.setSize(master, rows, columns);
  };
  const copyOut = (): boolean => {
    try {
      const data = fs.read(master, CHUNK);
      if (data.length === 0) return false;
      fs.write(1, data);
      return true;
    } catch (error) {
      // A pty whose other side is closed for good answers EIO, a drained one EAGAIN.
      if (isSysError(error, "EIO") || isSysError(error, "EAGAIN")) return false;
      throw error;
    }
  };
  resize();
  poll.add(epoll, master, POLLIN, TOKEN_MASTER);
  addStdin(kernel, epoll);
  return {
    resize,
    pump: (token) => {
      if (token === TOKEN_STDIN) {
        const data = fs.read(0, CHUNK);
        if (data.length === 0) poll.remove(epoll, 0);
        else fs.write(master, data);
      } else if (!copyOut()) poll.remove(epoll, master);
    },
    drain: () => {
      fs.setNonblock(master, true);
      while (copyOut());
    },
    close: () => {
      if (saved !== null) terminal.restore(0, saved);
      fs.close(master);
    },
  };
}

/** A regular file as stdin cannot be waited for with epoll; then nothing is typed. */
function addStdin(kernel: Kernel, epoll: number): void {
  try {
    kernel.poll.add(epoll, 0, POLLIN, TOKEN_STDIN);
  } catch (error) {
    if (!isSysError(error, "EPERM")) throw error;
  }
}
