// From arguments to an exit code: global flags, the choice of a command, signals, errors.

import { resolve } from "node:path";
import { isTeuError } from "@teu/base/errors";
import { createScope, type Log, silentLog } from "@teu/base/scope";
import { exitNow } from "@teu/files/process";
import { fitThreadPool } from "@teu/files/thread-pool";
import type { Command, CommandContext, CommandIo } from "./command.ts";
import { type CommandEntry, COMMANDS, GROUPS } from "./command-table.ts";
import { type Environment, readEnvironment } from "./environment.ts";
import { readGlobalOptions } from "./grammar/global-options.ts";
import { usageError } from "./grammar/usage-error.ts";
import { exitCodeOf, failuresOf, printError } from "./output/print-error.ts";
import { StandardIo } from "./standard-io.ts";
import { VERSION } from "./version-text.ts";

/** Runs a command line and sets the process's exit code. Never throws. */
export function main(argv: readonly string[]): void {
  const io = new StandardIo();
  runCli(argv, io, readEnvironment(process.env)).then(
    (code) => {
      process.exitCode = code;
      // Open handles of others (a paused stdin, a keep-alive socket) must not keep a finished command alive.
      io.flush(() => exitNow(code));
    },
    (error: unknown) => {
      process.exitCode = 1;
      process.stderr.write(`teu: internal error: ${String(error)}\n`, () => exitNow(1));
    },
  );
}

/** Runs a command line; returns the exit code. */
export async function runCli(argv: readonly string[], io: CommandIo, environment: Environment): Promise<number> {
  let debug = environment.debug;
  let failure = 1;
  let json = false;
  let signals: SignalHandling | null = null;
  try {
    const globals = readGlobalOptions(argv);
    debug = globals.debug || environment.debug;
    if (globals.version) {
      io.stdout.write(`teu version ${VERSION}\n`);
      return 0;
    }
    const chosen = chooseCommand(globals.rest);
    if (chosen === null) {
      const { rootHelp } = await import("./output/root-help.ts");
      io.stdout.write(rootHelp(globals.rest[0]));
      return globals.help || globals.rest.length > 0 ? 0 : 1;
    }
    const { command } = await chosen.entry.load();
    failure = command.failure ?? 1;
    const { readCommandInput } = await import("./grammar/read-command-input.ts");
    if (globals.help || asksForHelp(chosen.args, command.passThrough === true)) {
      await printHelp(io, command, chosen.name);
      return 0;
    }
    // What cannot be read is told in the form that was asked for, too.
    json = command.passThrough !== true && asksForJson(chosen.args);
    const input = readCommandInput(command, chosen.name, [...(chosen.entry.preset ?? []), ...chosen.args]);
    if (input.flag("help")) {
      await printHelp(io, command, chosen.name);
      return 0;
    }
    json = input.text("format") === "json" || input.flag("json");
    if (command.bulk === true) fitThreadPool(process.env);
    signals = new SignalHandling();
    const context = makeContext(io, environment, { debug, root: globals.root, runroot: globals.runroot }, signals);
    return await command.run(context, input);
  } catch (error) {
    const interrupted = signals?.received;
    if (interrupted !== undefined && isTeuError(failuresOf(error).first, "cancelled"))
      return 128 + (interrupted === "SIGINT" ? 2 : 15);
    printError(io.stderr, error, debug, json);
    return exitCodeOf(error, failure);
  } finally {
    signals?.[Symbol.dispose]();
  }
}

async function printHelp(io: CommandIo, command: Command, name: string): Promise<void> {
  const { commandHelp } = await import("./grammar/help-text.ts");
  io.stdout.write(commandHelp(command, name));
}

interface Chosen {
  readonly name: string;
  readonly entry: CommandEntry;
  readonly args: readonly string[];
}

/** Null: help for all, or for the group named first. */
function chooseCommand(rest: readonly string[]): Chosen | null {
  const [first, second] = rest;
  if (first === undefined) return null;
  if (first === "help") return rest.length === 1 ? null : chosenHelp(rest.slice(1));
  const entry = Object.hasOwn(COMMANDS, first) ? COMMANDS[first] : undefined;
  if (entry !== undefined) return { name: first, entry, args: rest.slice(1) };
  const group = Object.hasOwn(GROUPS, first) ? GROUPS[first] : undefined;
  if (group === undefined)
    throw usageError(`${JSON.stringify(first)} is not a command`, {
      word: first,
      known: [...Object.keys(COMMANDS), ...Object.keys(GROUPS)],
      fallback: "see teu --help",
    });
  if (second === undefined || second === "--help" || second === "-h") return null;
  const verb = Object.hasOwn(group.verbs, second) ? group.verbs[second] : undefined;
  if (verb === undefined)
    throw usageError(`${JSON.stringify(`${first} ${second}`)} is not a command`, {
      word: second,
      known: Object.keys(group.verbs),
      fallback: `see teu ${first} --help`,
    });
  return { name: `${first} ${second}`, entry: verb, args: rest.slice(2) };
}

function chosenHelp(rest: readonly string[]): Chosen | null {
  const chosen = chooseCommand(rest);
  return chosen === null ? null : { ...chosen, args: ["--help"] };
}

function asksForHelp(args: readonly string[], passThrough: boolean): boolean {
  for (const arg of args) {
    if (arg === "--help") return true;
    if (arg === "--") return false;
    // Behind the image, --help is the container's. A flag's separate value in front of it makes us look too early; it is no flag then either.
    if (passThrough && !arg.startsWith("-")) return false;
  }
  return false;
}

function asksForJson(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  const flags = end < 0 ? args : args.slice(0, end);
  return flags.some(
    (arg, at) => arg === "--json" || arg === "--format=json" || (arg === "--format" && flags[at + 1] === "json"),
  );
}

function makeContext(
  io: CommandIo,
  environment: Environment,
  given: { debug: boolean; root: string | undefined; runroot: string | undefined },
  signals: SignalHandling,
): CommandContext {
  const root = resolve(given.root ?? environment.root);
  const runroot = resolve(given.runroot ?? environment.runroot);
  const log = given.debug
    ? stderrLog(io)
    : { ...silentLog, warn: (message: string) => void io.stderr.write(`teu: warning: ${message}\n`) };
  const scope = createScope({ signal: signals.signal, log });
  return {
    scope,
    io,
    environment,
    root,
    runroot,
    debug: given.debug,
    engine: async (options) => {
      const { Engine } = await import("@teu/engine/engine");
      return await Engine.open(scope, {
        root,
        runroot,
        ...options,
        ...(environment.runtime === undefined ? {} : { runtime: environment.runtime }),
        ...(environment.shim === undefined ? {} : { shim: environment.shim }),
      });
    },
    print: (line) => void io.stdout.write(`${line}\n`),
    warn: (line) => void io.stderr.write(`${line}\n`),
    handleSignals: (handler) => signals.take(handler),
  };
}

function stderrLog(io: CommandIo): Log {
  const write = (level: string) => (message: string, fields?: Readonly<Record<string, unknown>>) =>
    void io.stderr.write(`teu: ${level}: ${message}${fields === undefined ? "" : ` ${JSON.stringify(fields)}`}\n`);
  return { debug: write("debug"), info: write("info"), warn: write("warning") };
}

/** The first signal cancels the command's scope, the second one ends the process. */
class SignalHandling implements Disposable {
  readonly #abort = new AbortController();
  readonly #listener = (signal: NodeJS.Signals): void => this.#handle(signal);
  #handler: ((signal: NodeJS.Signals) => void) | null = null;
  received: NodeJS.Signals | undefined;

  constructor() {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, this.#listener);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  take(handler: (signal: NodeJS.Signals) => void): Disposable {
    this.#handler = handler;
    return { [Symbol.dispose]: () => (this.#handler = null) };
  }

  [Symbol.dispose](): void {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(signal, this.#listener);
  }

  #handle(signal: NodeJS.Signals): void {
    if (this.#handler !== null) return this.#handler(signal);
    if (this.received !== undefined) exitNow(128 + (signal === "SIGINT" ? 2 : 15));
    this.received = signal;
    this.#abort.abort();
  }
}
