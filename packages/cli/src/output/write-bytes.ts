// Bytes to stdout, or to a file that appears when all of them are there.

import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { TeuError } from "@teu/base/errors";
import type { CommandContext } from "../command.ts";

/** `output`: the file; undefined: stdout. `op` names the action in errors. */
export async function writeBytes(
  context: CommandContext,
  bytes: AsyncIterable<Uint8Array>,
  output: string | undefined,
  op: string,
): Promise<void> {
  const { signal } = context.scope;
  if (output === undefined) return await pipeline(bytes, context.io.stdout, { end: false, signal });
  // Beside the target, so that a failure does not leave half of it under the wanted name.
  const partial = `${output}.${process.pid}.partial`;
  try {
    await pipeline(bytes, createWriteStream(partial), { signal });
    await rename(partial, output);
  } catch (cause) {
    await rm(partial, { force: true });
    context.scope.check(op);
    throw cause instanceof TeuError
      ? cause
      : new TeuError({ code: "unavailable", op, subject: output, message: "it cannot be written", cause });
  }
}
