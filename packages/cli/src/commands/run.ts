// run: create and start a container; in the foreground with its streams, signals and exit code, or in the background.

import { cleanupScope, REMOVAL_PATIENCE } from "@teu/base/scope";
import type { Engine } from "@teu/engine/engine";
import { exitCodeOf } from "@teu/engine/exit-code";
import { isTeuError } from "@teu/base/errors";
import type { Command, CommandContext, CommandInput } from "../command.ts";
import { CONTAINER_OPTIONS, UNSUPPORTED_CONTAINER_OPTIONS } from "../options/container-options.ts";
import { policyOf } from "../options/signature-policy.ts";
import { printError } from "../output/print-error.ts";
import { connect } from "../terminal/stream-session.ts";
import { createFromInput } from "./run-container.ts";

/** `teu run`. */
export const command: Command = {
  usage: "run [OPTIONS] IMAGE [COMMAND] [ARG...]",
  summary: "Create and run a new container from an image",
  description:
    "Exits with the container's exit code; 125 when teu failed, 126 when the command cannot be executed, 127 when it is not there.",
  options: [
    ...CONTAINER_OPTIONS,
    { long: "detach", short: "d", help: "Run in the background and print the container's id" },
    {
      long: "detach-keys",
      value: "string",
      help: 'Keys that leave the container\'s terminal (default "ctrl-p,ctrl-q")',
    },
    { long: "sig-proxy", on: true, help: "Pass signals on to the container" },
  ],
  unsupported: UNSUPPORTED_CONTAINER_OPTIONS,
  passThrough: true,
  args: [1, Number.POSITIVE_INFINITY],
  examples: [
    "teu run --rm busybox echo hello",
    "teu run -it --rm debian bash",
    "teu run -d --name web -p 8080:80 -m 64m web-server",
  ],
  failure: 125,
  run: async (context, input) => {
    await using engine = await context.engine(policyOf(input));
    const created = await createFromInput(context, engine, input, input.flag("rm"));
    try {
      if (!input.flag("detach")) return await runAttached(context, engine, created.id, input);
      await engine.containers.start(context.scope, created.id);
      context.print(created.id);
      return 0;
    } catch (error) {
      // A container that never ran is of no use to anybody who asked for --rm.
      if (input.flag("rm")) await removeQuietly(context, engine, created.id);
      if (!isTeuError(error) || error.code === "cancelled") throw error;
      printError(context.io.stderr, error, context.debug);
      return exitCodeOf(error);
    }
  },
};

async function runAttached(context: CommandContext, engine: Engine, id: string, input: CommandInput): Promise<number> {
  const stdin = input.flag("interactive");
  const tty = input.flag("tty");
  await using session = await engine.containers.start(context.scope, id, {
    attach: { stdin, stdout: true, stderr: !tty },
  });
  using _signals =
    input.flag("sig-proxy") && !(tty && context.io.stdin.isTTY === true) ? proxySignals(context, engine, id) : null;
  const keys = input.text("detach-keys");
  const connected = await connect(context, session, {
    tty,
    stdin,
    ...(keys === undefined ? {} : { detachKeys: keys }),
  });
  if (connected.kind === "detached") return 0;
  // Until everything is torn down, so that a following command finds no trace of a container run with --rm.
  const exit = await engine.containers.wait(context.scope, id);
  return exit.code;
}

function proxySignals(context: CommandContext, engine: Engine, id: string): Disposable {
  return context.handleSignals((signal) => {
    engine.containers
      .kill(context.scope, id, { signal })
      .catch((error: unknown) => context.scope.log.debug("pass signal on", { signal, error: String(error) }));
  });
}

async function removeQuietly(context: CommandContext, engine: Engine, id: string): Promise<void> {
  try {
    await engine.containers.remove(cleanupScope(context.scope, REMOVAL_PATIENCE), id, { force: true, volumes: true });
  } catch (error) {
    if (!isTeuError(error, "not-found"))
      context.scope.log.warn(`the container ${id.slice(0, 12)} cannot be removed: ${String(error)}`);
  }
}
