// Registry clients of others (crane, oras, regctl) where PATH has them, each with a home of its own, and `teu registry serve` for them
// to talk to, as its users start it: open, with passwords, with tokens.

import { execFile } from "node:child_process";
import { accessSync, constants, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

import { type CliHost, UNABLE } from "./cli-harness.ts";

/** Who gets in: everybody; ann with her password, by Basic; the same by our token server. */
export type Door = "open" | "password" | "tokens";

/** The user that closed doors know. */
export const USER = "ann";
/** Her password. */
export const PASSWORD = "right";
// bcrypt of "right", cost 8.
const USERS = `${USER}:$2b$08$7hbB8oX1t0Mt1BG9Q8o4IuEcH.tw9SqOweaVEK2hlFUUpsaUm5JES\n`;
const TIME_LIMIT = 60_000;

/** Why tests with these programs cannot run here; undefined when they can. */
export function unable(...programs: readonly string[]): string | undefined {
  const absent = programs.find((program) => find(program) === null);
  return UNABLE ?? (absent === undefined ? undefined : `${absent} is not installed`);
}

function find(program: string): string | null {
  for (const directory of (process.env["PATH"] ?? "").split(delimiter)) {
    const file = join(directory, program);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // The next directory may have it.
    }
  }
  return null;
}

/** How a client ended. */
export interface ClientOutcome {
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** One program, with files of its own. */
export class PeerClient {
  readonly #program: string;
  readonly #home: string;

  constructor(program: string, home: string) {
    this.#program = program;
    this.#home = home;
    mkdirSync(home, { recursive: true });
  }

  /** Runs it to its end in `cwd`, by default its home. */
  attempt(
    args: readonly string[],
    options: { readonly input?: string; readonly cwd?: string } = {},
  ): Promise<ClientOutcome> {
    return new Promise((resolve) => {
      const child = execFile(
        find(this.#program) ?? this.#program,
        args,
        {
          cwd: options.cwd ?? this.#home,
          env: { PATH: process.env["PATH"], HOME: this.#home },
          timeout: TIME_LIMIT,
          maxBuffer: 64 << 20,
        },
        (error, stdout, stderr) => resolve({ ok: error === null, stdout: stdout.trim(), stderr: stderr.trim() }),
      );
      child.stdin?.on("error", () => {});
      child.stdin?.end(options.input ?? "");
    });
  }

  /** Stdout of a call that must succeed. */
  async ok(args: readonly string[], options: { readonly input?: string; readonly cwd?: string } = {}): Promise<string> {
    const outcome = await this.attempt(args, options);
    if (outcome.ok) return outcome.stdout;
    throw new Error(`${this.#program} ${args.join(" ")} failed: ${outcome.stderr || outcome.stdout}`);
  }
}

/** A registry that runs; stopped when disposed. */
export interface ServedRegistry extends AsyncDisposable {
  readonly address: string;
}

/** Starts `teu registry serve`. */
export async function serveRegistry(host: CliHost, door: Door): Promise<ServedRegistry> {
  const { child, ended, says } = host.start(["registry", "serve", ...argumentsFor(host, door)]);
  const address = /listening on https?:\/\/(\S+)/.exec(await says("listening on "))?.[1] ?? "";
  return {
    address,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

function argumentsFor(host: CliHost, door: Door): readonly string[] {
  const plain = ["--addr", "127.0.0.1:0", "--memory"];
  if (door === "open") return plain;
  const users = join(host.directory, "users");
  writeFileSync(users, USERS);
  if (door === "password") return [...plain, "--htpasswd", users];
  const file = join(host.directory, "registry.yaml");
  writeFileSync(
    file,
    `address: 127.0.0.1:0\nroot: ${join(host.directory, "with-tokens")}\nusers: { htpasswd: ${users} }\ntokens: {}\n`,
  );
  return ["--config", file];
}
