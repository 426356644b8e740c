// A StreamSession over an open connection to a shim.

import type { Socket } from "node:net";

import { TeuError } from "@teu/base/errors";
import { endedError, type Scope } from "@teu/base/scope";
import { STREAM_CONTROL, STREAM_STDIN, type ShimRequest } from "@teu/shim/protocol";

import type { OutputChunk, StreamSession } from "../containers.ts";
import { openConnection } from "./connection.ts";
import { encodeFrame, FrameReader } from "./frames.ts";

/** Sends an attach or exec request and hands back its streams. The scope ends the session, too. */
export async function openSession(scope: Scope, path: string, request: ShimRequest): Promise<StreamSession> {
  const { socket, rest } = await openConnection(scope, path, request);
  return new ShimSession(scope, socket, rest);
}

class ShimSession implements StreamSession {
  readonly output: AsyncIterable<OutputChunk>;
  readonly exitCode: Promise<number>;
  readonly #socket: Socket;
  readonly #ended: PromiseWithResolvers<number> = Promise.withResolvers();
  readonly #abort: () => void;
  readonly #scope: Scope;
  #failure: Error | null = null;

  constructor(scope: Scope, socket: Socket, rest: Buffer) {
    this.#socket = socket;
    this.#scope = scope;
    this.exitCode = this.#ended.promise;
    // Whoever only reads the output need not look at the code.
    this.exitCode.catch(() => {});
    this.#abort = () => this.#fail(endedError("read container's output", scope.signal.reason));
    scope.signal.addEventListener("abort", this.#abort, { once: true });
    if (scope.signal.aborted) this.#abort();
    // A client that only writes learns of a dead shim from `write`, not from an unhandled event.
    socket.on("error", (error) => this.#fail(error));
    this.output = this.#read(rest);
  }

  write(data: Uint8Array): Promise<void> {
    return this.#send(encodeFrame(STREAM_STDIN, data));
  }

  end(): Promise<void> {
    return this.#send(encodeFrame(STREAM_STDIN, new Uint8Array(0)));
  }

  resize(rows: number, columns: number): Promise<void> {
    return this.#send(encodeFrame(STREAM_CONTROL, Buffer.from(JSON.stringify({ resize: { rows, columns } }))));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#scope.signal.removeEventListener("abort", this.#abort);
    this.#socket.destroy();
    this.#ended.reject(lost());
  }

  async *#read(rest: Buffer): AsyncGenerator<OutputChunk> {
    const reader = new FrameReader();
    try {
      yield* this.#pieces(reader, rest);
      for await (const chunk of this.#socket.iterator({ destroyOnReturn: false })) {
        yield* this.#pieces(reader, chunk as Buffer);
        if (this.#socket.destroyed) break;
      }
      this.#fail(lost());
    } catch (error) {
      this.#fail(error as Error);
    }
    // Set by the last frame, or by one of the failures above: there is no third way out.
    await this.exitCode;
  }

  *#pieces(reader: FrameReader, chunk: Buffer): Generator<OutputChunk> {
    for (const piece of reader.push(chunk)) {
      if (piece.kind === "output") {
        yield piece;
        continue;
      }
      const { code, error } = piece.end;
      if (code < 0)
        this.#fail(
          new TeuError({
            code: "unavailable",
            op: "read container's output",
            message: error ?? "the shim cut the stream off",
          }),
        );
      else this.#ended.resolve(code);
      this.#socket.destroy();
      return;
    }
  }

  #send(frame: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) return reject(this.#failure ?? lost());
      this.#socket.write(frame, (error) => (error == null ? resolve() : reject(lost(error))));
    });
  }

  #fail(error: Error): void {
    this.#failure ??= error instanceof TeuError ? error : lost(error);
    this.#ended.reject(this.#failure);
    this.#socket.destroy();
  }
}

function lost(cause?: unknown): TeuError {
  return new TeuError({
    code: "unavailable",
    op: "read container's output",
    message: "the connection to the shim is closed",
    ...(cause === undefined ? {} : { cause }),
  });
}
