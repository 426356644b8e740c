// exec: a further process in a running container.

import type { Command } from "../command.ts";
import { readEnv } from "../options/name-values.ts";
import { connect } from "../terminal/stream-session.ts";

/** `teu exec`. */
export const command: Command = {
  usage: "exec [OPTIONS] CONTAINER COMMAND [ARG...]",
  summary: "Execute a command in a running container",
  options: [
    { long: "detach", short: "d", help: "Run it in the background" },
    { long: "detach-keys", value: "string", help: 'Keys that leave its terminal (default "ctrl-p,ctrl-q")' },
    { long: "env", short: "e", value: "list", repeat: true, help: "Set environment variables" },
    { long: "env-file", value: "list", repeat: true, help: "Read environment variables from a file" },
    { long: "interactive", short: "i", help: "Send it our stdin" },
    { long: "privileged", help: "Give it extended privileges" },
    { long: "tty", short: "t", help: "Allocate a terminal" },
    { long: "user", short: "u", value: "string", help: "User (NAME|UID[:GROUP|GID])" },
    { long: "workdir", short: "w", value: "string", help: "Working directory" },
  ],
  passThrough: true,
  args: [2, Number.POSITIVE_INFINITY],
  examples: ["teu exec web ps", "teu exec -it web sh"],
  failure: 125,
  run: async (context, input) => {
    const [name = "", ...words] = input.args;
    const [user, workdir, keys] = [input.text("user"), input.text("workdir"), input.text("detach-keys")];
    const tty = input.flag("tty");
    const stdin = input.flag("interactive");
    const env = await readEnv(input.list("env"), input.list("env-file"), process.env);
    const options = {
      command: words,
      env,
      tty,
      stdin,
      stdout: true,
      stderr: !tty,
      privileged: input.flag("privileged"),
      ...(user === undefined ? {} : { user }),
      ...(workdir === undefined ? {} : { workdir }),
    };
    await using engine = await context.engine();
    if (input.flag("detach")) {
      await engine.containers.execDetached(context.scope, name, { ...options, stdin: false });
      return 0;
    }
    await using session = await engine.containers.exec(context.scope, name, options);
    const connected = await connect(context, session, {
      tty,
      stdin,
      ...(keys === undefined ? {} : { detachKeys: keys }),
    });
    return connected.kind === "detached" ? 0 : connected.code;
  },
};
