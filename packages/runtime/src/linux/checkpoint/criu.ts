// Speaks with CRIU: starts `criu swrk FD` on one end of a socket pair and exchanges its RPC messages over the other. RPC instead of the
// command line, because only RPC makes the restored processes children of the caller (rst_sibling), asks back at the steps in between
// (hooks, the terminal's master), and takes descriptors of the caller instead of paths.
// portable: no host types here.

import { type ErrorCode, TeuError } from "@teu/base/errors";
import { AT_FDCWD, X_OK } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import { environmentValue } from "../../cli/environment.ts";
import { diagnose, errorLines, heldCapabilities, pathOfFd, quote, readErrors } from "./criu-log.ts";
import {
  type CriuAnswer,
  type CriuOptions,
  REQUEST,
  decodeAnswer,
  encodeNotified,
  encodeQuestion,
  encodeRequest,
} from "./criu-messages.ts";

const MESSAGE_LIMIT = 64 << 10;
/** lsm_mount_context came with 3.16, external pid namespaces with 3.15; older ones pass over such fields silently. */
const OLDEST = 31_600;
const USUAL_DIRECTORIES = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/** swrk's argument: where its end of the socket is. */
export const CRIU_SOCKET_FD = 3;

/**
 * Starts the program with one end of a new SOCK_SEQPACKET pair as `CRIU_SOCKET_FD`; returns the other end. CRIU takes descriptors from
 * the process that made the pair (SO_PEERCRED).
 */
export type Launch = (
  path: string,
  argv: readonly string[],
  env: readonly string[],
) => { readonly pid: number; readonly socket: number };

/** What CRIU reports on its way; `fds` are closed by the session unless taken. Errors make the whole request fail. */
export type Notified = (step: string, pid: number, fds: readonly number[]) => void;

/** A running CRIU. */
export class Criu {
  readonly pid: number;
  /** As in `CriuAnswer`. */
  readonly version: number;
  readonly #kernel: Kernel;
  readonly #socket: number;

  private constructor(kernel: Kernel, pid: number, socket: number) {
    this.#kernel = kernel;
    this.pid = pid;
    this.#socket = socket;
    try {
      this.version = this.ask(REQUEST.version).version;
    } catch (error) {
      this.end();
      throw error;
    }
  }

  /** Starts CRIU: `program`, or the one in PATH. Throws `unavailable` when there is none, `unsupported` when it is too old. */
  static start(kernel: Kernel, program: string, launch: Launch): Criu {
    const path = findCriu(kernel, program);
    const { pid, socket } = launch(path, [path, "swrk", String(CRIU_SOCKET_FD)], environmentOf(kernel));
    const criu = new Criu(kernel, pid, socket);
    if (criu.version >= OLDEST) return criu;
    criu.end();
    throw new TeuError({
      code: "unsupported",
      op: "use CRIU",
      subject: path,
      message: `it is version ${versionText(criu.version)}, and 3.16 is the oldest that knows all requests`,
    });
  }

  /** A question that another request may follow. */
  ask(type: number): CriuAnswer {
    this.#kernel.fs.write(this.#socket, encodeQuestion(type));
    const { answer } = this.#receive("ended without an answer");
    if (!answer.success) throw this.#silent("cannot tell what it and this kernel can do");
    return answer;
  }

  /**
   * Sends the request, hands on the notifications, and returns the answer, which may tell of failure. What `notified` throws is thrown
   * when CRIU has taken back what it did.
   */
  request(type: number, options: CriuOptions, notified: Notified): CriuAnswer {
    const { fs, host } = this.#kernel;
    fs.write(this.#socket, encodeRequest(host, type, options));
    let failure: { readonly error: unknown } | null = null;
    for (;;) {
      const { answer, fds } = this.#receive(null);
      if (answer.type !== REQUEST.notify) {
        for (const fd of fds) fs.close(fd);
        if (failure !== null) throw failure.error;
        return answer;
      }
      try {
        notified(answer.notification, answer.pid, fds);
      } catch (error) {
        failure ??= { error };
      } finally {
        for (const fd of fds) fs.close(fd);
      }
      fs.write(this.#socket, encodeNotified(failure === null));
    }
  }

  /** Ends the conversation and waits for its end. */
  end(): void {
    this.#kernel.fs.close(this.#socket);
    try {
      this.#kernel.process.waitpid(this.pid, 0);
    } catch (error) {
      if (!isSysError(error, "ECHILD")) throw error;
    }
  }

  /** The next message. An end in place of it is an answer of failure, or with `whatFailed` an error. */
  #receive(whatFailed: string | null): { readonly answer: CriuAnswer; readonly fds: readonly number[] } {
    const { socket, host } = this.#kernel;
    const { data, fds } = socket.receiveMessage(this.#socket, MESSAGE_LIMIT);
    if (data.length > 0) return { answer: decodeAnswer(host, data), fds };
    if (whatFailed !== null) throw this.#silent(whatFailed);
    return { answer: decodeAnswer(host, new Uint8Array(0)), fds };
  }

  #silent(message: string): TeuError {
    return new TeuError({
      code: "unavailable",
      op: "use CRIU",
      message: `it ${message}`,
      hint: "`criu check` says why",
    });
  }
}

/** "3.17.1" of 31701. */
export function versionText(version: number): string {
  const parts = [Math.floor(version / 10_000), Math.floor(version / 100) % 100, version % 100];
  return (parts[2] === 0 ? parts.slice(0, 2) : parts).join(".");
}

/** It starts tar, ip and iptables by name, and callers (podman) clear the environment. */
function environmentOf(kernel: Kernel): string[] {
  const search = new Set([...environmentValue(kernel, "PATH").split(":"), ...USUAL_DIRECTORIES]);
  search.delete("");
  const others = kernel.process.environ().filter((entry) => !entry.startsWith("PATH="));
  return [...others, `PATH=${[...search].join(":")}`];
}

function findCriu(kernel: Kernel, program: string): string {
  if (program.includes("/")) return program;
  const directories = [...environmentValue(kernel, "PATH").split(":"), ...USUAL_DIRECTORIES];
  const name = program === "" ? "criu" : program;
  for (const directory of directories) {
    if (!directory.startsWith("/")) continue;
    if (kernel.fs.accessAt(AT_FDCWD, `${directory}/${name}`, X_OK)) return `${directory}/${name}`;
  }
  throw new TeuError({
    code: "unavailable",
    op: "use CRIU",
    subject: name,
    message: "it is neither in PATH nor in the usual directories",
    hint: "install CRIU (Debian: apt-get install criu)",
  });
}

/** The error of a request that CRIU answered with failure, out of its log. `type` as runc spells it: DUMP, PRE_DUMP, RESTORE. */
export function criuFailure(
  kernel: Kernel,
  request: {
    readonly op: string;
    readonly id: string;
    readonly type: string;
    /** The work directory, in this process. */
    readonly workFd: number;
    readonly options: Pick<CriuOptions, "logFile">;
  },
  version: number,
  answer: CriuAnswer,
): TeuError {
  const { workFd } = request;
  const { logFile } = request.options;
  const lines = readErrors(kernel, workFd, logFile);
  const diagnosis = diagnose([...lines, ...errorLines(answer.errorText)], heldCapabilities(kernel));
  const code: ErrorCode = diagnosis?.code ?? "internal";
  const words = lines.length === 0 ? "its log tells nothing" : quote(lines);
  return new TeuError({
    code,
    op: request.op,
    subject: request.id,
    message:
      `criu failed: type ${request.type} errno ${answer.errno}: CRIU ${versionText(version)} says ${words}` +
      `, log file: ${pathOfFd(kernel, workFd)}/${logFile}`,
    ...(diagnosis === null ? {} : { hint: diagnosis.hint }),
  });
}
