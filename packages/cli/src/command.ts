// What a command is: a description, its flags as data, and a function. One file per verb in commands/.

import type { Scope } from "@teu/base/scope";
import type { Engine, EngineOptions } from "@teu/engine/engine";
import type { Environment } from "./environment.ts";

/** One flag. */
export interface OptionSpec {
  /** "env": given as --env. */
  readonly long: string;
  /** "e": given as -e. */
  readonly short?: string;
  /** Name of its value in help texts; absent: a switch. */
  readonly value?: string;
  /** May be given several times. */
  readonly repeat?: boolean;
  readonly help: string;
  /** Switches: on unless `--name=false`. */
  readonly on?: boolean;
}

/** What was given on the command line. */
export interface CommandInput {
  readonly args: readonly string[];
  /** A switch. */
  flag(name: string): boolean;
  /** Last value of a flag. */
  text(name: string): string | undefined;
  list(name: string): readonly string[];
}

/** stdout or stderr. */
export interface Output {
  /** Node's stream; made at the first use, which takes milliseconds. */
  readonly stream: NodeJS.WriteStream;
  readonly isTTY: boolean;
  /** @throws TeuError by errno when it cannot be written. */
  write(data: string | Uint8Array): void;
  /** As `write`; resolves when whoever reads has room for more. */
  send(data: string | Uint8Array): Promise<void>;
}

/** Where a command reads and writes. */
export interface CommandIo {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: Output;
  readonly stderr: Output;
}

/** What a command runs with. */
export interface CommandContext {
  /** Ends with the first Ctrl-C. */
  readonly scope: Scope;
  readonly io: CommandIo;
  readonly environment: Environment;
  /** --root and --runroot, absolute. */
  readonly root: string;
  readonly runroot: string;
  readonly debug: boolean;
  /** Opens the engine; the command disposes it. */
  engine(options?: Pick<EngineOptions, "signaturePolicy">): Promise<Engine>;
  /** Writes a line to stdout. */
  print(line: string): void;
  /** Writes a line to stderr. */
  warn(line: string): void;
  /** Takes signals away from the default "first one cancels"; dispose the result to give them back. */
  handleSignals(handler: (signal: NodeJS.Signals) => void): Disposable;
}

/** One command. */
export interface Command {
  /** "run [OPTIONS] IMAGE [COMMAND] [ARG...]" */
  readonly usage: string;
  readonly summary: string;
  /** More sentences for the help text. */
  readonly description?: string;
  readonly options: readonly OptionSpec[];
  /** Docker's flags that are known and cannot be had yet. */
  readonly unsupported?: readonly string[];
  /** Flags end at the first argument: the rest belongs to the container. */
  readonly passThrough?: boolean;
  /** Moves images: most of its time goes to the thread pool, which then has a thread for each processor. */
  readonly bulk?: boolean;
  /** Least and most arguments. */
  readonly args: readonly [least: number, most: number];
  readonly examples: readonly string[];
  /** Exit code of failures that are not the container's; default 1. Docker: 125 for those that run something. */
  readonly failure?: number;
  /** Returns the exit code. */
  run(context: CommandContext, input: CommandInput): Promise<number>;
}
