// Events that wait to be delivered, in the order in which they happened: files in a directory, so that a restart loses none.
// Without a directory they are in memory.

import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { fileError, isErrno } from "../storage/file-error.ts";

/** An event that waits. */
export interface QueuedEvent {
  readonly name: string;
  readonly body: string;
}

/** See the head of this file. One process at a time uses a directory. */
export class EventQueue {
  readonly #directory: string | undefined;
  readonly #most: number;
  readonly #memory: Map<string, string> = new Map();
  #names: string[];
  #count = 0;
  #writing: Promise<void> = Promise.resolve();

  private constructor(directory: string | undefined, most: number, names: string[]) {
    this.#directory = directory;
    this.#most = most;
    this.#names = names;
  }

  /** Finds what waits there. @throws TeuError `denied`. */
  static async open(directory: string | undefined, most: number): Promise<EventQueue> {
    if (directory === undefined) return new EventQueue(undefined, most, []);
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const names = (await readdir(directory)).filter((name) => name.endsWith(".json")).sort();
      return new EventQueue(directory, most, names);
    } catch (error) {
      throw fileError("open webhook queue", directory, error);
    }
  }

  get length(): number {
    return this.#names.length;
  }

  /** Appends; false when it is full, and the event is lost. */
  push(body: string): boolean {
    if (this.#names.length >= this.#most) return false;
    // Times sort across restarts, the count within a millisecond.
    const name = `${String(Date.now()).padStart(15, "0")}-${String(this.#count++).padStart(9, "0")}.json`;
    this.#memory.set(name, body);
    this.#names.push(name);
    if (this.#directory !== undefined) this.#write(this.#directory, name, body);
    return true;
  }

  /** The oldest; null when none waits. */
  async first(): Promise<QueuedEvent | null> {
    for (;;) {
      const [name] = this.#names;
      if (name === undefined) return null;
      const body = this.#memory.get(name) ?? (await this.#read(name));
      if (body !== null) return { name, body };
      this.#names.shift();
    }
  }

  /** Takes the oldest away. */
  async remove({ name }: QueuedEvent): Promise<void> {
    this.#names = this.#names.filter((other) => other !== name);
    this.#memory.delete(name);
    await this.#writing;
    if (this.#directory !== undefined) await rm(join(this.#directory, name), { force: true });
  }

  /** Resolves when everything is on disk. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  #write(directory: string, name: string, body: string): void {
    const file = join(directory, name);
    this.#writing = this.#writing
      .then(async () => {
        if (!this.#memory.has(name)) return;
        await writeFile(`${file}.new`, body, { mode: 0o600 });
        await rename(`${file}.new`, file);
        // Many may wait: what is on disk need not be in memory as well.
        if (this.#names.length > 100 && this.#names[0] !== name) this.#memory.delete(name);
      })
      // A full disk: it stays in memory, and goes with the process.
      .catch(() => {});
  }

  async #read(name: string): Promise<string | null> {
    try {
      return await readFile(join(this.#directory ?? "", name), "utf8");
    } catch (error) {
      if (isErrno(error, "ENOENT")) return null;
      throw fileError("read webhook event", name, error);
    }
  }
}
