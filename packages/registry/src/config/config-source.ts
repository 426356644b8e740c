// A configuration file that a running registry follows: on SIGHUP, and when the file changes.

import { unwatchFile, watchFile } from "node:fs";
import { dirname, resolve } from "node:path";

import type { RegistryOptions } from "../registry.ts";
import { configOptions } from "./config-options.ts";
import { type ConfigEnvironment, readConfig } from "./read-config.ts";

/** Milliseconds between two looks. Files are looked at, not watched: what is mounted changes by links that no watch sees. */
const EVERY = 2000;

/** See the head of this file. */
export class ConfigSource {
  readonly file: string;
  readonly #environment: ConfigEnvironment;

  constructor(file: string, environment: ConfigEnvironment) {
    this.file = resolve(file);
    this.#environment = environment;
  }

  /** What it says now. @throws TeuError as `readConfig`. */
  async options(): Promise<RegistryOptions> {
    return configOptions(await readConfig(this.file, this.#environment), dirname(this.file));
  }

  /** Calls back at each SIGHUP and each change of the file until the result is disposed. */
  watch(changed: () => void): Disposable {
    const listener = (now: { mtimeMs: number; size: number; ino: number }, before: typeof now): void => {
      if (now.mtimeMs !== before.mtimeMs || now.size !== before.size || now.ino !== before.ino) changed();
    };
    watchFile(this.file, { interval: EVERY, persistent: false }, listener);
    process.on("SIGHUP", changed);
    return {
      [Symbol.dispose]: () => {
        unwatchFile(this.file, listener);
        process.off("SIGHUP", changed);
      },
    };
  }
}
