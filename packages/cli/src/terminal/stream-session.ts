// Connects a container's streams to this process's: output with back pressure, input, terminal in raw mode, window size, detach keys.

import type { StreamSession } from "@teu/engine/containers/containers";
import type { CommandContext } from "../command.ts";
import { DetachKeys } from "./detach-keys.ts";

/** How to connect. */
export interface ConnectOptions {
  /** The process has a terminal. */
  readonly tty: boolean;
  /** Send our stdin. */
  readonly stdin: boolean;
  /** Key sequence that leaves a terminal session; "" switches it off. Default "ctrl-p,ctrl-q". */
  readonly detachKeys?: string;
}

/** How a connection ended. */
export type Connected = { readonly kind: "ended"; readonly code: number } | { readonly kind: "detached" };

/** Until the process ended and all its output was written, or the user detached. The caller disposes the session. */
export async function connect(
  context: CommandContext,
  session: StreamSession,
  options: ConnectOptions,
): Promise<Connected> {
  using tidy = new DisposableStack();
  const detached = Promise.withResolvers<Connected>();
  const ourTerminal = options.tty && context.io.stdin.isTTY === true;
  if (options.tty && context.io.stdout.isTTY) tidy.use(followSize(context, session));
  if (options.stdin)
    tidy.use(
      forwardInput(context, session, ourTerminal, options.detachKeys ?? "ctrl-p,ctrl-q", () =>
        detached.resolve({ kind: "detached" }),
      ),
    );
  const ended = (async (): Promise<Connected> => {
    for await (const { stream, data } of session.output)
      await (stream === "stdout" ? context.io.stdout : context.io.stderr).send(data);
    return { kind: "ended", code: await session.exitCode };
  })();
  ended.catch(() => {});
  return await Promise.race([ended, detached.promise]);
}

function followSize(context: CommandContext, session: StreamSession): Disposable {
  const stdout = context.io.stdout.stream;
  const tell = (): void => {
    session
      .resize(stdout.rows, stdout.columns)
      .catch((error: unknown) => context.scope.log.debug("resize", { error: String(error) }));
  };
  tell();
  stdout.on("resize", tell);
  return { [Symbol.dispose]: () => stdout.off("resize", tell) };
}

function forwardInput(
  context: CommandContext,
  session: StreamSession,
  raw: boolean,
  keys: string,
  detach: () => void,
): Disposable {
  const { stdin } = context.io;
  const filter = raw && keys !== "" ? new DetachKeys(keys) : null;
  const failed = (error: unknown): void => context.scope.log.debug("send input", { error: String(error) });
  const onData = (chunk: Buffer): void => {
    const passed = filter === null ? { data: chunk, detached: false } : filter.pass(chunk);
    if (passed.data.length > 0) {
      stdin.pause();
      session.write(passed.data).then(() => stdin.resume(), failed);
    }
    if (passed.detached) detach();
  };
  const onEnd = (): void => void session.end().catch(failed);
  if (raw) stdin.setRawMode(true);
  stdin.on("data", onData);
  stdin.once("end", onEnd);
  // A stdin that cannot be read (closed by whoever started us) has ended.
  stdin.once("error", onEnd);
  return {
    [Symbol.dispose]: () => {
      stdin.off("data", onData);
      stdin.off("end", onEnd);
      stdin.pause();
      if (raw) stdin.setRawMode(false);
    },
  };
}
