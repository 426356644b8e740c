// login: credentials of a registry, checked and kept where Docker keeps them.

import type { Command } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { jsonOption, wantsJson } from "../options/json-format.ts";
import { accessOf, LOGIN_ACCESS_OPTIONS } from "../transports/copy-options.ts";
import { ask, readAllInput } from "../terminal/prompt.ts";

/** `teu login`. */
export const command: Command = {
  usage: "login [OPTIONS] [SERVER]",
  summary: "Log in to a registry",
  options: [
    ...LOGIN_ACCESS_OPTIONS,
    jsonOption("say where what is kept"),
    { long: "password", short: "p", value: "string", help: "Password; others can see it in the process list" },
    { long: "password-stdin", help: "Read the password from stdin" },
    { long: "username", short: "u", value: "string", help: "User name" },
  ],
  args: [0, 1],
  examples: ["teu login registry.example.org", "teu login -u me --password-stdin localhost:5000 < password.txt"],
  run: async (context, input) => {
    const registry = input.args[0] ?? "docker.io";
    const json = wantsJson(input);
    const fromStdin = input.flag("password-stdin");
    const given = input.text("password");
    if (fromStdin && given !== undefined)
      throw usageError("--password and --password-stdin exclude each other", { fallback: "use --password-stdin" });
    if (fromStdin && input.text("username") === undefined)
      throw usageError("--password-stdin needs --username", { fallback: "write -u NAME --password-stdin" });
    if (given !== undefined)
      context.warn("teu: warning: a password on the command line can be seen by others: use --password-stdin");
    const username = input.text("username") ?? (await ask(context, `Username (${registry}): `)).trim();
    const password = fromStdin
      ? (await readAllInput(context)).replace(/\r?\n$/, "")
      : (given ?? (await ask(context, "Password: ", { hidden: true })));
    if (username === "" || password === "")
      throw usageError("user name and password may not be empty", { fallback: "see teu login --help" });
    await using engine = await context.engine();
    const kept = await engine.images.login(context.scope, registry, { username, password }, accessOf(input));
    const { stored, token } = kept;
    if (json) {
      context.print(JSON.stringify({ registry: kept.registry, username, stored, token }));
      return 0;
    }
    context.warn(token ? `A token is kept in ${stored}, and no password` : `Credentials are kept in ${stored}`);
    context.print("Login Succeeded");
    return 0;
  },
};
