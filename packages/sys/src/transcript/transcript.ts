// Writes down every call on a kernel as a readable line: for --explain and golden files. File descriptors are shown as what they
// stand for, flags by name; calls that only look (stat, read) are shown too, because they are system calls as well.
// portable: no host types here.

import { isSysError } from "../sys-error.ts";
import type { Kernel } from "../kernel.ts";
import { type ArgumentKind, SIGNATURES } from "./signatures.ts";
import { flagNames } from "./flag-names.ts";

/** What a transcript shows. */
export interface TranscriptOptions {
  /** Also calls of sys:host (clock, UTF-8). Default: not. */
  readonly host?: boolean;
  /** Replaces texts that differ from run to run. */
  readonly normalize?: (line: string) => string;
}

const TEXT_LIMIT = 120;

/** A kernel that does what `kernel` does and gives `write` a line per call. */
export function transcribe(kernel: Kernel, write: (line: string) => void, options: TranscriptOptions = {}): Kernel {
  const scribe = new Scribe(kernel, write, options.normalize ?? ((line) => line));
  const modules = Object.entries(kernel).filter(
    ([name]) => name !== "simulation" && (options.host === true || name !== "host"),
  );
  const wrapped = Object.fromEntries(
    modules.map(([module, functions]) => [module, scribe.module(functions as object)]),
  );
  return { ...kernel, ...wrapped };
}

class Scribe {
  readonly #kernel: Kernel;
  readonly #write: (line: string) => void;
  readonly #normalize: (line: string) => string;
  /** Per acting process: fd to what it stands for. A child has a copy of its parent's. */
  readonly #names: Map<number, Map<number, string>> = new Map();
  readonly #labels: Map<number, string> = new Map();

  constructor(kernel: Kernel, write: (line: string) => void, normalize: (line: string) => string) {
    this.#kernel = kernel;
    this.#write = write;
    this.#normalize = normalize;
  }

  module(functions: object): object {
    return Object.fromEntries(
      Object.entries(functions).map(([name, call]: [string, (...args: unknown[]) => unknown]) => [
        name,
        (...args: unknown[]): unknown => this.#call(name, call, args),
      ]),
    );
  }

  #call(name: string, call: (...args: unknown[]) => unknown, args: readonly unknown[]): unknown {
    const actor = this.#actor();
    const [kinds, result] = SIGNATURES[name] ?? [[], ""];
    const shown = args.map((arg, index) => this.#argument(arg, kinds[index] ?? "value")).filter((text) => text !== "");
    const line = `${actor.padEnd(8)}${name}(${shown.join(", ")})`;
    try {
      const value = call(...args);
      this.#learn(name, args, value, result);
      this.#write(this.#normalize(value === -1 && result !== "" ? `${line} = none` : line));
      return value;
    } catch (error) {
      this.#write(this.#normalize(isSysError(error) ? `${line} = ${error.errno}` : line));
      throw error;
    }
  }

  #pid(): number {
    const { simulation } = this.#kernel;
    if (simulation === undefined) return 0;
    const pid = simulation.enter(0);
    simulation.enter(pid);
    return pid;
  }

  #actor(): string {
    const pid = this.#pid();
    const label = this.#labels.get(pid) ?? (this.#labels.size === 0 ? "runtime" : "child");
    this.#labels.set(pid, label);
    return label;
  }

  #fds(): Map<number, string> {
    const pid = this.#pid();
    const found = this.#names.get(pid) ?? new Map<number, string>();
    this.#names.set(pid, found);
    return found;
  }

  #nameOf(fd: number): string {
    if (fd === -100) return "";
    if (fd === -1) return "none";
    if (fd >= 0 && fd <= 2) return ["stdin", "stdout", "stderr"][fd] ?? "";
    return `<${this.#fds().get(fd) ?? "fd"}>`;
  }

  #argument(arg: unknown, kind: ArgumentKind): string {
    if (kind === "skip") return "";
    if (kind === "fd" && typeof arg === "number") return this.#nameOf(arg);
    if (kind === "octal" && typeof arg === "number") return arg === 0 ? "" : `0${arg.toString(8)}`;
    if (typeof arg === "number" && kind !== "value" && kind !== "fd") return arg === 0 ? "" : flagNames(kind, arg);
    if (arg instanceof Uint8Array) return `${arg.length} bytes`;
    if (typeof arg === "string") return quoted(arg);
    return this.#object(arg);
  }

  #object(arg: unknown): string {
    const text = JSON.stringify(arg, (key, value: unknown) => {
      if (typeof value === "bigint") return String(value);
      if (typeof value === "number" && key === "flags") return flagNames("clone", value);
      if (typeof value === "number" && (key === "set" || key === "clear"))
        return value === 0 ? undefined : flagNames("attribute", value);
      if (key === "propagation" && typeof value === "number")
        return value === 0 ? undefined : flagNames("propagation", value);
      if (key === "usernsFd" || key === "cgroupFd")
        return typeof value === "number" && value >= 0 ? this.#nameOf(value) : undefined;
      return value;
    });
    return text ?? "";
  }

  /** Names the fds that a call made, and forgets those that it closed. */
  #learn(name: string, args: readonly unknown[], value: unknown, result: string): void {
    const fds = this.#fds();
    if (name === "close" && typeof args[0] === "number") fds.delete(args[0]);
    if (name === "clone3") {
      const { pid, pidfd } = value as { pid: number; pidfd: number };
      this.#names.set(pid, new Map(fds));
      this.#labels.set(pid, "child");
      fds.set(pidfd, "child");
    } else if (Array.isArray(value) && result === "pair") {
      fds.set(Number(value[0]), name);
      fds.set(Number(value[1]), name);
    } else if (typeof value === "number" && value >= 0 && result !== "") fds.set(value, this.#describe(result, args));
  }

  /** `result` is a pattern: "$1" is the second argument, an fd shown by its name. */
  #describe(result: string, args: readonly unknown[]): string {
    return result
      .replace(/\$(\d)/g, (_, index: string) => {
        const arg = args[Number(index)];
        if (typeof arg === "number") return arg === -100 ? "" : this.#nameOf(arg).replace(/^<|>$/g, "");
        return String(arg);
      })
      .replace(/\/+/g, "/")
      .replace(/(?<=.)\/$/, "");
  }
}

function quoted(text: string): string {
  return JSON.stringify(text.length > TEXT_LIMIT ? `${text.slice(0, TEXT_LIMIT)}...` : text);
}
