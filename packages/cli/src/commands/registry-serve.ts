// registry serve: a registry in the foreground until a signal.

import { resolve } from "node:path";
import { ConfigSource } from "@teu/registry/config/config-source";
import { exposureWarnings } from "@teu/registry/exposure";
import { jsonLog } from "@teu/registry/operations/json-log";
import type { RegistryOptions } from "@teu/registry/registry";
import { serve } from "@teu/registry/serve";
import type { Command, CommandContext, CommandInput } from "../command.ts";
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
      long: "config",
      value: "file",
      help: "Configuration in YAML, instead of all other flags; read again when it changes",
    },
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
    "teu registry serve --config /etc/teu/registry.yaml",
  ],
  run: async (context, input) => {
    const file = input.text("config");
    const source = file === undefined ? undefined : configSource(context, input, file);
    const options = source === undefined ? flagOptions(input) : await source.options();
    // SIGHUP means "read it again"; the other signals end the server, a second one at once.
    const taken = context.handleSignals((signal) => {
      if (source === undefined || signal !== "SIGHUP") taken[Symbol.dispose]();
    });
    const log = source === undefined ? context.scope.log : jsonLog((line) => void context.io.stderr.write(line));
    const signal = await serve(context.scope.withLog(log), {
      ...options,
      ...(source === undefined ? {} : { source }),
      ready: ({ url, address }) => {
        for (const warning of exposureWarnings({ address, ...protectionBy(options) }))
          context.warn(`teu: warning: ${warning}`);
        context.print(`listening on ${url}`);
      },
    });
    context.warn(signal === null ? "stopped" : `stopped by ${signal}`);
    return 0;
  },
};

function configSource(context: CommandContext, input: CommandInput, file: string): ConfigSource {
  const others = command.options.map(({ long }) => long).filter((name) => name !== "config");
  const given = others.find((name) => input.flag(name) || input.text(name) !== undefined);
  if (given !== undefined) throw usageError(`--${given} does not go with --config: write it into the file`, HELP);
  return new ConfigSource(file, context.environment.registry);
}

function protectionBy(options: RegistryOptions): { authenticated: boolean; secure: boolean } {
  const { htpasswd, rules, trustedTokens, tls, readOnly } = options;
  const login = htpasswd !== undefined || rules !== undefined || (trustedTokens ?? []).length > 0;
  return { authenticated: login || readOnly === true || tls?.clientCa !== undefined, secure: tls !== undefined };
}

function flagOptions(input: CommandInput): RegistryOptions {
  const root = input.text("root");
  if ((root === undefined) !== input.flag("memory"))
    throw usageError("a registry needs --root DIRECTORY, --memory, or --config FILE", HELP);
  return {
    address: input.text("addr") ?? "127.0.0.1:5000",
    readOnly: input.flag("read-only"),
    ...(root === undefined ? {} : { root: resolve(root) }),
    ...protectionOf(input),
  };
}

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
