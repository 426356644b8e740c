// Measures a real run: wraps a kernel so that every call is timed and summed up by the step that the program says it is at
// (`Kernel.step`). A child that clone3 made goes on measuring for itself and writes its part into a file in memory, which is kept
// open across everything that closes descriptors, before it becomes another program or ends.
// portable: no host types here.

import type { Kernel } from "../kernel.ts";
import { isSysError } from "../sys-error.ts";

/** What one step took. Times in nanoseconds. */
export interface StepTiming {
  readonly process: string;
  readonly step: string;
  /** From its beginning to the next one's. */
  readonly wall: number;
  /** In calls of the kernel; among them those that wait for somebody. */
  readonly kernel: number;
  readonly calls: number;
  readonly slowest: string;
  readonly slowestTime: number;
}

type Call = (...args: unknown[]) => unknown;
type Mutable = { -readonly [K in keyof StepTiming]: StepTiming[K] };

/** Above what the program itself opens, and what callers pass on. */
const HIGH_FD = 200;
const LIMIT = 1 << 20;
const MFD_CLOEXEC = 1;

/** A kernel that measures; `kernel` is to be used instead of the real one. */
export class Stopwatch {
  readonly kernel: Kernel;
  readonly #real: Kernel;
  readonly #file: number;
  #process = "runtime";
  #steps: Mutable[] = [];
  #current: Mutable;
  #since: bigint;

  constructor(real: Kernel) {
    this.#real = real;
    const made = real.fs.memfdCreate("timings", MFD_CLOEXEC);
    this.#file = real.fs.dup(made, HIGH_FD);
    real.fs.close(made);
    this.#since = real.host.monotonicNs();
    this.#current = this.#begin("command line, config.json");
    const modules = Object.entries(real).filter(([name]) => !["host", "simulation", "step"].includes(name));
    const wrapped = modules.map(([name, functions]) => [name, this.#module(functions as object)] as const);
    this.kernel = { ...real, ...Object.fromEntries(wrapped), step: (name) => this.#next(name) };
  }

  /** Ends the measuring: this process's steps, then those that its children wrote. */
  finish(): StepTiming[] {
    this.#end();
    const { fs, host } = this.#real;
    fs.lseek(this.#file, 0, 0);
    let text = "";
    for (let data = fs.read(this.#file, LIMIT); data.length > 0; data = fs.read(this.#file, LIMIT))
      text += host.utf8Decode(data);
    const told = text.split("\n").filter((line) => line !== "");
    return [...this.#steps, ...told.map((line) => JSON.parse(line) as StepTiming)];
  }

  #begin(step: string): Mutable {
    return { process: this.#process, step, wall: 0, kernel: 0, calls: 0, slowest: "", slowestTime: 0 };
  }

  #next(step: string): void {
    this.#end();
    if (this.#process !== "runtime") this.#write();
    this.#current = this.#begin(step);
  }

  #end(): void {
    const now = this.#real.host.monotonicNs();
    this.#current.wall = Number(now - this.#since);
    this.#since = now;
    this.#steps.push(this.#current);
  }

  #module(functions: object): object {
    return Object.fromEntries(
      Object.entries(functions).map(([name, call]: [string, Call]) => [name, this.#wrapped(name, call)]),
    );
  }

  #wrapped(name: string, call: Call): Call {
    if (name === "closeRange") return (...args) => this.#closeRange(call, args.map(Number));
    // They do not come back: what is known by then is told before.
    const last = name === "execveat" || name === "exit";
    return (...args) => {
      if (last) this.#tell();
      return this.#timed(name, call, args);
    };
  }

  #timed(name: string, call: Call, args: readonly unknown[]): unknown {
    const { host } = this.#real;
    const before = host.monotonicNs();
    let isChild = false;
    try {
      const value = call(...args);
      isChild = name === "clone3" && (value as { pid: number }).pid === 0;
      return value;
    } finally {
      // That call was the parent's.
      if (isChild) this.#becomeChild();
      else this.#count(name, Number(host.monotonicNs() - before));
    }
  }

  #count(name: string, taken: number): void {
    const step = this.#current;
    step.calls++;
    step.kernel += taken;
    if (taken > step.slowestTime) Object.assign(step, { slowest: name, slowestTime: taken });
  }

  #becomeChild(): void {
    this.#process = "child";
    this.#steps = [];
    this.#since = this.#real.host.monotonicNs();
    this.#current = this.#begin("first instructions");
  }

  /** All but our own file; at execve that goes by itself. */
  #closeRange(call: Call, [first = 0, last = 0, flags = 0]: readonly number[]): void {
    const own = this.#file;
    if (flags !== 0 || own < first || own > last) return void this.#timed("closeRange", call, [first, last, flags]);
    if (first < own) this.#timed("closeRange", call, [first, own - 1, flags]);
    if (own < last) this.#timed("closeRange", call, [own + 1, last, flags]);
  }

  #tell(): void {
    if (this.#process === "runtime") return;
    this.#end();
    this.#write();
    this.#current = this.#begin(this.#current.step);
  }

  #write(): void {
    const text = this.#steps.map((step) => `${JSON.stringify(step)}\n`).join("");
    this.#steps = [];
    try {
      this.#real.fs.write(this.#file, text);
    } catch (error) {
      // A filter is in force by now that does not allow it.
      if (!isSysError(error)) throw error;
    }
  }
}

/** The steps as a table; what took less than ten microseconds and no call is left out. */
export function timingTable(steps: readonly StepTiming[]): string {
  const shown = steps.filter(({ calls, wall }) => calls > 0 || wall >= 10_000);
  const ms = (time: number): string => (time / 1e6).toFixed(3);
  const rows = [
    ["process", "step", "ms", "in calls", "calls", "slowest call"],
    ...shown.map((one) => [
      one.process,
      one.step,
      ms(one.wall),
      ms(one.kernel),
      String(one.calls),
      one.slowest === "" ? "" : `${one.slowest} ${ms(one.slowestTime)}`,
    ]),
  ];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  const isNumber = (column: number): boolean => column >= 2 && column <= 4;
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          isNumber(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
