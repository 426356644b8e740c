// Runs `bin/teu` for the demonstration, on a root of its own, and shows what it says.

import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import type { Screen } from "./screen.ts";

const PROGRAM = join(import.meta.dirname, "../../bin/teu");

/** How a command ended. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What every command of the demonstration shares. */
export interface TeuOptions {
  readonly root: string;
  readonly runroot: string;
  readonly screen: Screen;
  /** Aborted by Ctrl-C: the running command is told to stop, and no further one begins. */
  readonly signal: AbortSignal;
}

/** The command line under test. */
export class Teu {
  readonly #options: TeuOptions;

  constructor(options: TeuOptions) {
    this.#options = options;
  }

  /** Shows and runs one command to its end, output streamed; throws when the exit code is not in `expected`. */
  async run(words: readonly string[], expected: readonly number[] = [0]): Promise<Outcome> {
    this.#options.signal.throwIfAborted();
    this.#options.screen.command(["teu", ...words]);
    const outcome = await this.#finish(this.#spawn(words), true);
    return checked(words, outcome, expected);
  }

  /** Runs one command without showing anything, also after Ctrl-C: for looking at things and for tidying up. */
  async quietly(words: readonly string[]): Promise<Outcome> {
    return await this.#finish(this.#spawn(words), false);
  }

  /** Starts a command that goes on; the caller ends it with SIGTERM. */
  background(words: readonly string[]): ChildProcess {
    this.#options.signal.throwIfAborted();
    this.#options.screen.command(["teu", ...words], " &");
    return this.#spawn(words);
  }

  #spawn(words: readonly string[]): ChildProcess {
    const env = { ...process.env, TEU_ROOT: this.#options.root, TEU_RUNROOT: this.#options.runroot };
    return spawn(PROGRAM, words, { stdio: ["ignore", "pipe", "pipe"], env });
  }

  async #finish(child: ChildProcess, shown: boolean): Promise<Outcome> {
    const text = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name]?.setEncoding("utf8").on("data", (part: string) => {
        text[name] += part;
        if (shown) this.#options.screen.output(part);
      });
    }
    const stop = (): void => void child.kill("SIGINT");
    if (shown) this.#options.signal.addEventListener("abort", stop, { once: true });
    const code = await new Promise<number>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (status, signal) => resolve(status ?? (signal === null ? 1 : INTERRUPTED)));
    });
    this.#options.signal.removeEventListener("abort", stop);
    if (shown) this.#options.signal.throwIfAborted();
    return { code, ...text };
  }
}

/** What a command that Ctrl-C ended exits with. */
const INTERRUPTED = 130;

/** Ctrl-C ended a command before we were told of it ourselves: a terminal sends it to both, in no order. */
export class Interrupted extends Error {}

function checked(words: readonly string[], outcome: Outcome, expected: readonly number[]): Outcome {
  if (expected.includes(outcome.code)) return outcome;
  if (outcome.code === INTERRUPTED) throw new Interrupted(`teu ${words[0] ?? ""} was interrupted`);
  throw new Error(`teu ${words[0] ?? ""} ended with ${outcome.code}, expected ${expected.join(" or ")}`);
}
