// logs: the lines of a container's json-file log, filtered, and followed across rotation until the container has ended.

import { type FSWatcher, watch } from "node:fs";
import { dirname } from "node:path";

import { endedError, type Scope } from "@teu/base/scope";
import type { LogLine } from "@teu/shim/protocol";

import type { LogEntry, LogsOptions } from "../containers.ts";
import { LogFile, logFiles, tailOffset } from "./log-files.ts";

/** When to stop following: resolves when nothing more will be written. */
export type Ended = () => Promise<void>;

/** Entries of the log at `path`. Nothing when there is no log. */
export async function* readLog(
  scope: Scope,
  path: string,
  options: LogsOptions,
  ended: Ended,
): AsyncGenerator<LogEntry> {
  const wants = filterOf(options);
  // Watched before the first look, so that nothing falls between the two.
  using changes = options.follow === true ? new Changes(scope, dirname(path)) : null;
  let over = changes === null;
  if (changes !== null)
    void ended().then(
      () => {
        over = true;
        changes.wake();
      },
      (error: unknown) => changes.fail(error),
    );
  using place = new Place(path, options.tail);
  for (;;) {
    // Asked before reading: what is written before the end is then read for sure.
    const last = over;
    for (const line of place.lines()) {
      scope.check("read log");
      const entry = parseLine(scope, line, path);
      if (entry !== null && wants(entry)) yield entry;
    }
    if (last || changes === null) return;
    await changes.next();
  }
}

/** The place in a chain of files that grows at its young end and is renamed as it goes. */
class Place implements Disposable {
  readonly #path: string;
  #file: LogFile | null = null;
  #start: { readonly files: string[]; readonly offset: number };

  constructor(path: string, tail: number | undefined) {
    this.#path = path;
    this.#start = startOf(path, tail);
  }

  *lines(): Generator<string> {
    if (this.#file !== null) yield* this.#file.lines();
    for (const next of this.#younger()) {
      const file = LogFile.open(next.path, next.offset);
      if (file === null) continue;
      this.#file?.[Symbol.dispose]();
      this.#file = file;
      yield* file.lines();
    }
  }

  [Symbol.dispose](): void {
    this.#file?.[Symbol.dispose]();
  }

  /** Files younger than the current one, which may have been renamed since: its inode tells where it is now. */
  #younger(): { path: string; offset: number }[] {
    if (this.#file === null) {
      const { files, offset } = this.#start;
      const list = files.length > 0 ? files : logFiles(this.#path);
      return list.map((path, index) => ({ path, offset: index === 0 && files.length > 0 ? offset : 0 }));
    }
    const files = logFiles(this.#path);
    const { inode } = this.#file;
    const at = files.findIndex((path) => {
      using file = LogFile.open(path);
      return file?.inode === inode;
    });
    return files.slice(at + 1).map((path) => ({ path, offset: 0 }));
  }
}

/** Files from which the last `tail` lines come, and where in the first of them. */
function startOf(path: string, tail: number | undefined): { files: string[]; offset: number } {
  const files = logFiles(path);
  if (tail === undefined || tail < 0) return { files, offset: 0 };
  let missing = tail;
  for (let index = files.length - 1; index >= 0; index--) {
    const file = files[index] ?? path;
    if (missing === 0) return { files: files.slice(index), offset: Number.MAX_SAFE_INTEGER };
    const { lines, offset } = tailOffset(file, missing);
    missing -= lines;
    if (missing === 0 || index === 0) return { files: files.slice(index), offset };
  }
  return { files, offset: 0 };
}

function filterOf(options: LogsOptions): (entry: LogEntry) => boolean {
  const { stdout = true, stderr = true, since, until } = options;
  return (entry) => {
    if (entry.stream === "stdout" ? !stdout : !stderr) return false;
    if (since === undefined && until === undefined) return true;
    const time = Date.parse(entry.time) + subMilliseconds(entry.time);
    return (since === undefined || time >= since) && (until === undefined || time <= until);
  };
}

/** What Date.parse drops: the digits behind the milliseconds. */
function subMilliseconds(time: string): number {
  const digits = /\.\d{3}(\d+)/.exec(time)?.[1];
  return digits === undefined ? 0 : Number(`0.${digits}`);
}

/** Null for a line that a full disk or a crash has cut: the lines around it are still worth reading. */
function parseLine(scope: Scope, line: string, path: string): LogEntry | null {
  try {
    const value = JSON.parse(line) as Partial<Record<keyof LogLine, unknown>> | null;
    if (typeof value?.log === "string") {
      const time = typeof value.time === "string" ? value.time : "";
      return { text: value.log, stream: value.stream === "stderr" ? "stderr" : "stdout", time };
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  scope.log.warn("a damaged line of the log is left out", { path, line: line.slice(0, 100) });
  return null;
}

/** Wakes a reader when something happens in a directory. */
class Changes implements Disposable {
  readonly #watcher: FSWatcher;
  readonly #scope: Scope;
  readonly #abort: () => void;
  #signal: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor(scope: Scope, directory: string) {
    this.#scope = scope;
    this.#abort = () => this.fail(endedError("follow log", scope.signal.reason));
    this.#watcher = watch(directory, () => this.wake());
    this.#watcher.on("error", (error) => this.fail(error));
    this.#signal.promise.catch(() => {});
    scope.signal.addEventListener("abort", this.#abort, { once: true });
    if (scope.signal.aborted) this.#abort();
  }

  wake(): void {
    this.#signal.resolve();
  }

  fail(error: unknown): void {
    this.#signal.promise.catch(() => {});
    this.#signal.reject(error);
  }

  /** Until something has happened since the last call. */
  async next(): Promise<void> {
    await this.#signal.promise;
    this.#signal = Promise.withResolvers();
  }

  [Symbol.dispose](): void {
    this.#watcher.close();
    this.#scope.signal.removeEventListener("abort", this.#abort);
  }
}
