// start: start created or ended containers, in the background or (-a) with their streams.

import type { Command, CommandContext } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { forEachName } from "../output/each.ts";
import { connect } from "../terminal/stream-session.ts";

/** `teu start`. */
export const command: Command = {
  usage: "start [OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Start stopped containers",
  options: [
    { long: "attach", short: "a", help: "Show its output, pass signals on, and exit with its code" },
    { long: "interactive", short: "i", help: "Send it our stdin" },
    {
      long: "detach-keys",
      value: "string",
      help: 'Keys that leave the container\'s terminal (default "ctrl-p,ctrl-q")',
    },
  ],
  unsupported: ["checkpoint", "checkpoint-dir"],
  args: [1, Number.POSITIVE_INFINITY],
  examples: ["teu start web", "teu start -a job"],
  run: async (context, input) => {
    await using engine = await context.engine();
    if (!input.flag("attach") && !input.flag("interactive")) {
      return await forEachName(context, input.args, async (name) => {
        await engine.containers.start(context.scope, name);
        return name;
      });
    }
    const [name = "", ...more] = input.args;
    if (more.length > 0)
      throw usageError("only one container can be attached to", { fallback: "leave -a and -i away to start several" });
    return await startAttached(context, engine, name, input.flag("interactive"), input.text("detach-keys"));
  },
};

async function startAttached(
  context: CommandContext,
  engine: Awaited<ReturnType<CommandContext["engine"]>>,
  name: string,
  stdin: boolean,
  keys: string | undefined,
): Promise<number> {
  const { Config } = await engine.containers.inspect(context.scope, name);
  const tty = Config["Tty"] === true;
  await using session = await engine.containers.start(context.scope, name, {
    attach: { stdin, stdout: true, stderr: !tty },
  });
  using _signals = tty
    ? null
    : context.handleSignals((signal) => {
        engine.containers
          .kill(context.scope, name, { signal })
          .catch((error: unknown) => context.scope.log.debug("pass signal on", { signal, error: String(error) }));
      });
  const connected = await connect(context, session, {
    tty,
    stdin,
    ...(keys === undefined ? {} : { detachKeys: keys }),
  });
  return connected.kind === "detached" ? 0 : (await engine.containers.wait(context.scope, name)).code;
}
