// One connection to a shim: a line of JSON each way, then frames if the request was for streams.

import { closeSync, constants, openSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { dirname } from "node:path";

import { endedError, type Scope } from "@teu/base/scope";
import { fromJson, isTeuError, TeuError } from "@teu/base/errors";
import type { ShimRequest, ShimResponse } from "@teu/shim/protocol";

/** Longest path that sockaddr_un takes. */
const LONGEST_PATH = 107;
const LINE_LIMIT = 1 << 20;

/** A positive answer. */
export type ShimAnswer = Extract<ShimResponse, { ok: true }>;

/** An answered request whose socket is still open, with what came behind the answer. */
export interface OpenConnection {
  readonly socket: Socket;
  readonly answer: ShimAnswer;
  readonly rest: Buffer;
}

/**
 * Asks the shim at `path` and closes. Waits as long as the shim does (op "wait").
 * @throws TeuError `unavailable` when no shim listens or it goes away before it answered; else what the shim says.
 */
export async function askShim(scope: Scope, path: string, request: ShimRequest): Promise<ShimAnswer> {
  const connection = await openConnection(scope, path, request);
  connection.socket.destroy();
  return connection.answer;
}

/** Kills a container and waits until its shim is done. One that is gone already is as good. */
export async function killAndWait(scope: Scope, path: string, paused: boolean = false): Promise<void> {
  await askIfAlive(scope, path, { op: "signal", signal: 9 });
  // A frozen process dies only when it is thawed.
  if (paused) await askIfAlive(scope, path, { op: "resume" });
  await askIfAlive(scope, path, { op: "wait" });
}

/** As `askShim`, but null when there is no such process or shim any more, or it is not in that state. */
export async function askIfAlive(scope: Scope, path: string, request: ShimRequest): Promise<ShimAnswer | null> {
  try {
    return await askShim(scope, path, request);
  } catch (error) {
    if (isTeuError(error, "not-found") || isTeuError(error, "unavailable") || isTeuError(error, "conflict"))
      return null;
    throw error;
  }
}

/** As `askShim`, but hands the socket (paused) to the caller, who destroys it. */
export async function openConnection(scope: Scope, path: string, request: ShimRequest): Promise<OpenConnection> {
  scope.check(`ask shim for ${request.op}`);
  const socket = await connected(path);
  const abort = () => socket.destroy(endedError(`wait for shim's ${request.op}`, scope.signal.reason));
  scope.signal.addEventListener("abort", abort, { once: true });
  try {
    // It may have ended while the connection was made: then nobody calls `abort` any more.
    scope.check(`ask shim for ${request.op}`);
    socket.write(`${JSON.stringify(request)}\n`);
    const { line, rest } = await firstLine(socket, request.op);
    const response = JSON.parse(line) as ShimResponse;
    if (!response.ok) throw fromJson(response.error);
    return { socket, answer: response, rest };
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    scope.signal.removeEventListener("abort", abort);
  }
}

async function connected(path: string): Promise<Socket> {
  // A directory's descriptor stands for the long part of the path.
  const directory =
    path.length > LONGEST_PATH ? openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY) : null;
  const address = directory === null ? path : `/proc/self/fd/${directory}/${path.slice(dirname(path).length + 1)}`;
  try {
    return await new Promise<Socket>((resolve, reject) => {
      const socket = connect({ path: address, allowHalfOpen: true });
      socket.once("error", (cause: NodeJS.ErrnoException) => reject(gone("no shim listens", cause)));
      socket.once("connect", () => {
        socket.removeAllListeners("error");
        resolve(socket);
      });
    });
  } finally {
    if (directory !== null) closeSync(directory);
  }
}

function firstLine(socket: Socket, op: string): Promise<{ line: string; rest: Buffer }> {
  return new Promise((resolve, reject) => {
    let seen: Buffer = Buffer.alloc(0);
    const settle = () => {
      socket.pause();
      for (const event of ["data", "error", "end", "close"]) socket.removeAllListeners(event);
    };
    const fail = (error: Error) => {
      settle();
      reject(error);
    };
    socket.on("data", (chunk: Buffer) => {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      const end = seen.indexOf(10);
      if (end < 0 && seen.length <= LINE_LIMIT) return;
      if (end < 0)
        return fail(
          new TeuError({ code: "corrupt", op: `read shim's answer to ${op}`, message: "the line does not end" }),
        );
      settle();
      resolve({ line: seen.toString("utf8", 0, end), rest: seen.subarray(end + 1) });
    });
    socket.on("error", (error) =>
      fail(error instanceof TeuError ? error : gone(`it broke off before it answered ${op}`, error)),
    );
    socket.on("close", () => fail(gone(`it went away before it answered ${op}`)));
    socket.on("end", () => fail(gone(`it closed before it answered ${op}`)));
  });
}

function gone(message: string, cause?: unknown): TeuError {
  return new TeuError({ code: "unavailable", op: "talk to shim", message, ...(cause === undefined ? {} : { cause }) });
}
