// The server tells commands that work beside it what time it goes by (steady-clock.ts): they have no memory, and would believe a
// clock that was set forward. A small file, written anew every minute; in it the time that has passed since the system started, which
// all processes see alike and nobody sets.

import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { uptime } from "node:os";
import path from "node:path";
import { errorText } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";

/** Name of the file below the root. */
export const CLOCK_NOTE = "clock.json";
const INTERVAL = 60_000;
/** Whoever has not written for so long does not serve any more. */
const VALID = 3 * INTERVAL;

/** The system tells its age in hundredths of a second: that is no difference. */
const TOLERANCE = 1000;

/** Since when the system runs, as far as processes can tell. Milliseconds. */
export interface SystemStart {
  /** Different after every start; null where there is no such thing, and then there are no notes. */
  readonly boot: string | null;
  readonly passed: number;
}

interface ClockNote {
  readonly boot: string;
  readonly passed: number;
  readonly time: number;
}

/** Writes notes until it is disposed. */
export class ClockNotes implements Disposable {
  readonly #scope: Scope;
  readonly #file: string;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;

  constructor(scope: Scope, root: string, now: () => number) {
    this.#scope = scope;
    this.#file = path.join(root, CLOCK_NOTE);
    this.#now = now;
    this.#write();
    this.#timer = setInterval(() => this.#write(), INTERVAL).unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    rmSync(this.#file, { force: true });
  }

  #write(): void {
    const { boot, passed } = systemStart();
    if (boot === null) return;
    const note: ClockNote = { boot, passed, time: this.#now() };
    try {
      writeFileSync(`${this.#file}.new`, JSON.stringify(note), { mode: 0o600 });
      renameSync(`${this.#file}.new`, this.#file);
    } catch (error) {
      this.#scope.log.warn("noting the time failed", { error: errorText(error) });
    }
  }
}

/**
 * What time it is for a process beside the server: by the server's note where the clock is ahead of that. Without a server, the clock
 * is all there is.
 */
export function timeBeside(scope: Scope, root: string, system: SystemStart = systemStart()): number {
  const note = readNote(path.join(root, CLOCK_NOTE));
  const now = scope.now();
  if (note === null || note.boot !== system.boot) return now;
  const passed = system.passed - note.passed;
  const served = note.time + passed;
  return passed >= 0 && passed <= VALID && now - served > TOLERANCE ? served : now;
}

function readNote(file: string): ClockNote | null {
  try {
    const note = JSON.parse(readFileSync(file, "utf8")) as Partial<ClockNote> | null;
    const { boot, passed, time } = note ?? {};
    if (typeof boot !== "string" || typeof passed !== "number" || typeof time !== "number") return null;
    return { boot, passed, time };
  } catch {
    // There is none, or it is not one: the clock has to do.
    return null;
  }
}

function systemStart(): SystemStart {
  let boot: string | null = null;
  try {
    boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    // Not Linux.
  }
  return { boot, passed: uptime() * 1000 };
}
