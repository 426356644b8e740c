// registry serve: a registry in the foreground until a signal.

import { resolve } from "node:path";
import { serve } from "@teu/registry/serve";
import type { Command } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";

/** `teu registry serve`. */
export const command: Command = {
  usage: "serve [OPTIONS]",
  summary: "Run a registry",
  options: [
    { long: "addr", value: "host:port", help: 'Where to listen (default "127.0.0.1:5000"; port 0: a free one)' },
    { long: "memory", help: "Keep everything in memory" },
    { long: "read-only", help: "Refuse pushes and deletions" },
    { long: "root", value: "directory", help: "Where to keep everything" },
  ],
  args: [0, 0],
  examples: ["teu registry serve --addr 127.0.0.1:5000 --root /var/lib/registry"],
  run: async (context, input) => {
    const root = input.text("root");
    if ((root === undefined) !== input.flag("memory"))
      throw usageError("a registry needs --root DIRECTORY, or --memory", { fallback: "see teu registry serve --help" });
    const signal = await serve(context.scope, {
      address: input.text("addr") ?? "127.0.0.1:5000",
      readOnly: input.flag("read-only"),
      scope: context.scope,
      ...(root === undefined ? {} : { root: resolve(root) }),
      ready: (registry) => context.print(`listening on ${registry.url}`),
    });
    context.warn(signal === null ? "stopped" : `stopped by ${signal}`);
    return 0;
  },
};
