// Makes a directory with its parents. Not node's `recursive`: that one never returns where the kernel refuses new names (/proc).

import { mkdir } from "node:fs/promises";
import path from "node:path";

import { isErrno } from "./file-error.ts";

/** Makes what is missing of a path, for the owner only. Fails with the system's error. */
export async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (error) {
    if (isErrno(error, "EEXIST")) return;
    const parent = path.dirname(directory);
    if (!isErrno(error, "ENOENT") || parent === directory) throw error;
    await makeDirectory(parent);
    await mkdir(directory, { mode: 0o700 }).catch((second: unknown) => {
      if (!isErrno(second, "EEXIST")) throw second;
    });
  }
}
