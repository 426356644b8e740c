// Runs `bin/teu` (or TEU_PROGRAM, a program to run instead) on directories of its own, with the image "base" made by its own build.

import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { UNABLE as UNABLE_ENGINE } from "./engine-harness.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const PROGRAM = (process.env["TEU_PROGRAM"] ?? join(ROOT, "bin/teu")).split(" ");

/** Why these tests cannot run here; undefined when they can. */
export const UNABLE: string | undefined =
  UNABLE_ENGINE ?? (existsSync(PROGRAM[0] ?? "") ? undefined : "bin/teu is not built");

/** How a command ended. */
export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Outcome>;
  /** Waits until stdout or stderr holds `text`; returns everything said so far. */
  says(text: string): Promise<string>;
}

/** A root for a test file. */
export class CliHost implements AsyncDisposable {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async open(): Promise<CliHost> {
    const host = new CliHost(mkdtempSync(join(tmpdir(), "teu-cli-")));
    const context = join(host.directory, "base");
    mkdirSync(join(context, "bin"), { recursive: true });
    copyFileSync("/bin/busybox", join(context, "bin/busybox"));
    chmodSync(join(context, "bin/busybox"), 0o755);
    writeFileSync(
      join(context, "Dockerfile"),
      [
        "FROM scratch",
        "COPY bin /bin",
        'RUN ["/bin/busybox", "--install", "-s", "/bin"]',
        "COPY <<passwd <<group /etc/",
        "root:x:0:0:root:/:/bin/sh",
        "app:x:1000:1000:app:/:/bin/sh",
        "passwd",
        "root:x:0:",
        "app:x:1000:",
        "group",
        "RUN mkdir -p /tmp && chmod 1777 /tmp",
        'CMD ["sh"]',
        "",
      ].join("\n"),
    );
    const built = await host.teu(["build", "--network", "none", "-q", "-t", "base", context]);
    if (built.code !== 0) throw new Error(`the base image cannot be built: ${built.stderr}`);
    return host;
  }

  /** Starts a command. */
  start(
    args: readonly string[],
    options: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {},
  ): Running {
    const [file = "", ...first] = PROGRAM;
    const child = spawn(file, [...first, ...args], {
      stdio: ["pipe", "pipe", "pipe"],
      cwd: options.cwd ?? ROOT,
      env: {
        PATH: process.env["PATH"],
        HOME: this.directory,
        TEU_ROOT: join(this.directory, "root"),
        TEU_RUNROOT: join(this.directory, "run"),
        TEU_SHIM: join(ROOT, "bin/teu-shim"),
        ...options.env,
      },
    });
    const text = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const)
      child[name].setEncoding("utf8").on("data", (part: string) => (text[name] += part));
    child.stdin.on("error", () => {});
    const ended = new Promise<Outcome>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) => resolve({ code, signal, ...text }));
    });
    const says = async (wanted: string): Promise<string> => {
      const end = Date.now() + 20_000;
      while (!`${text.stdout}\n${text.stderr}`.includes(wanted)) {
        if (Date.now() > end || child.exitCode !== null)
          throw new Error(`${args.join(" ")} did not say ${JSON.stringify(wanted)}: ${text.stdout}${text.stderr}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return `${text.stdout}\n${text.stderr}`;
    };
    return { child, ended, says };
  }

  /** Runs a command to its end. */
  async teu(
    args: readonly string[],
    options: { readonly input?: string; readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {},
  ): Promise<Outcome> {
    const { child, ended } = this.start(args, options);
    child.stdin?.end(options.input ?? "");
    return await ended;
  }

  /** Stdout of a command that must succeed, trimmed. */
  async ok(args: readonly string[], options: { readonly input?: string } = {}): Promise<string> {
    const outcome = await this.teu(args, options);
    if (outcome.code !== 0) throw new Error(`teu ${args.join(" ")} ended with ${outcome.code}: ${outcome.stderr}`);
    return outcome.stdout.trim();
  }

  /** Writes a context for builds. */
  context(name: string, files: Readonly<Record<string, string>>): string {
    const directory = join(this.directory, name);
    mkdirSync(directory, { recursive: true });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(directory, file), text);
    return directory;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ids = (await this.teu(["ps", "-aq", "--no-trunc"])).stdout.split("\n").filter((id) => id !== "");
    if (ids.length > 0) await this.teu(["rm", "-fv", ...ids]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Whether a process is still there. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
