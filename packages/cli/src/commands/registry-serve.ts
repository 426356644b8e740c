// registry serve: a registry in the foreground until a signal.

import { resolve } from "node:path";
import { exposureWarnings } from "@teu/registry/exposure";
import type { RegistryOptions } from "@teu/registry/registry";
import { serve } from "@teu/registry/serve";
import type { Command, CommandInput } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";

const HELP = { fallback: "see teu registry serve --help" };

/** `teu registry serve`. */
export const command: Command = {
  usage: "serve [OPTIONS]",
  summary: "Run a registry",
  options: [
    { long: "addr", value: "host:port", help: 'Where to listen (default "127.0.0.1:5000"; port 0: a free one)' },
    { long: "anonymous-pull", help: "With --htpasswd: anybody may pull" },
    {
      long: "htpasswd",
      value: "file",
      help: "Users with bcrypt or argon2id hashes, as `htpasswd -B` makes them; only they get in",
    },
    { long: "memory", help: "Keep everything in memory" },
    { long: "read-only", help: "Refuse pushes and deletions" },
    { long: "root", value: "directory", help: "Where to keep everything" },
    { long: "tls-cert", value: "file", help: "Speak TLS with this certificate chain, PEM" },
    { long: "tls-key", value: "file", help: "Private key of --tls-cert, PEM" },
  ],
  args: [0, 0],
  examples: [
    "teu registry serve --addr 127.0.0.1:5000 --root /var/lib/registry",
    "teu registry serve --addr :443 --root /var/lib/registry --htpasswd users --tls-cert cert.pem --tls-key key.pem",
  ],
  run: async (context, input) => {
    const root = input.text("root");
    if ((root === undefined) !== input.flag("memory"))
      throw usageError("a registry needs --root DIRECTORY, or --memory", HELP);
    const protection = protectionOf(input);
    const signal = await serve(context.scope, {
      address: input.text("addr") ?? "127.0.0.1:5000",
      readOnly: input.flag("read-only"),
      scope: context.scope,
      ...(root === undefined ? {} : { root: resolve(root) }),
      ...protection,
      ready: ({ url, address }) => {
        const { htpasswd, tls } = protection;
        const authenticated = htpasswd !== undefined || input.flag("read-only");
        for (const warning of exposureWarnings({ address, authenticated, secure: tls !== undefined }))
          context.warn(`teu: warning: ${warning}`);
        context.print(`listening on ${url}`);
      },
    });
    context.warn(signal === null ? "stopped" : `stopped by ${signal}`);
    return 0;
  },
};

function protectionOf(input: CommandInput): Pick<RegistryOptions, "htpasswd" | "anonymousPull" | "tls"> {
  const [htpasswd, cert, key] = [input.text("htpasswd"), input.text("tls-cert"), input.text("tls-key")];
  if ((cert === undefined) !== (key === undefined)) throw usageError("--tls-cert and --tls-key go together", HELP);
  const anonymousPull = input.flag("anonymous-pull");
  if (anonymousPull && htpasswd === undefined)
    throw usageError("--anonymous-pull needs --htpasswd: without it anybody may do everything", HELP);
  return {
    ...(htpasswd === undefined ? {} : { htpasswd: resolve(htpasswd), anonymousPull }),
    ...(cert === undefined || key === undefined ? {} : { tls: { cert: resolve(cert), key: resolve(key) } }),
  };
}
