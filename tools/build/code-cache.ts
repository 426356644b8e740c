// Compiles the bundled files ahead of time. Node's own compile cache keeps only what was compiled before anything ran, which is next to nothing.
// Run by the Node that will load them: `node code-cache.ts DIRECTORY`.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { Script } from "node:vm";
import { CACHE_SUFFIX, LOADER_FILE, WRAPPER } from "./pack-chunks.ts";

/** Writes the code cache of each file in `directory`. */
function writeCodeCaches(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (!name.endsWith(".cjs") || name === LOADER_FILE) continue;
    const filename = join(directory, name);
    // Every function, not only those that run at once. The flag is back before the data are made: V8 takes them only for the same flags.
    setFlagsFromString("--no-lazy");
    const script = new Script(`${WRAPPER[0]}${readFileSync(filename, "latin1")}${WRAPPER[1]}`, { filename });
    setFlagsFromString("--lazy");
    writeFileSync(`${filename}${CACHE_SUFFIX}`, script.createCachedData());
  }
}

writeCodeCaches(process.argv[2] ?? ".");
