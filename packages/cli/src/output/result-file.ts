// Files that a command's result is written to. Whether one can be is asked before the work: afterwards it is done all the same.

import { access, constants, open, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileError } from "@teu/files/addon";

/** @throws TeuError about a place that cannot be written; what is there stays as it is. */
export async function checkWritable(op: string, file: string): Promise<void> {
  try {
    await using _ = await open(file, "r+");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw fileError(op, file, error);
    await access(dirname(file), constants.W_OK).catch((cause: unknown) => {
      throw fileError(op, file, cause);
    });
  }
}

/** @throws TeuError. */
export async function writeText(op: string, file: string, text: string): Promise<void> {
  await writeFile(file, text).catch((error: unknown) => {
    throw fileError(op, file, error);
  });
}
